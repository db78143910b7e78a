"""Real servers for the tests: Debian's Dovecot, Exim and PostgreSQL, private and on loopback."""

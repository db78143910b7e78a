"""What every folder of tests may ask for.

The servers are real ones from Debian's packages (`peers/`); each starts when the first test asks for it, once
for each worker of pytest-xdist, and ends with the run.
"""

from collections.abc import Iterator

import pytest

from peers.certificates import Authority
from peers.dovecot import Dovecot
from peers.mailbox import Mailbox
from peers.postgres import Postgres
from peers.smtpd import SmtpServer


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The certificate authority that has signed for all servers of this run."""
    return Authority()


@pytest.fixture(scope="session")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    """A running Dovecot. Take a user of your own (`mailbox`): it is shared with other tests."""
    server = Dovecot(authority)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def smtp_server(authority: Authority) -> Iterator[SmtpServer]:
    """A running SMTP server. Take users of your own (`mailbox.may_send`, `add_user`): it is shared."""
    server = SmtpServer(authority)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL cluster. Take a database of your own: `fresh_database`."""
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty PostgreSQL database, dropped after the test: `postgresql://user@host:port/name`."""
    url = postgres.fresh_database()
    yield url
    postgres.drop(url)


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """A fresh user at Dovecot with an empty INBOX."""
    return Mailbox.fresh(dovecot)

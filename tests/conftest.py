"""What every folder of tests may ask for.

The servers are real ones from Debian's packages (`peers/`); each starts when the first test asks for it, once
for each worker of pytest-xdist, and ends with the run.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from house import make_tables, sqlite_in
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
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty PostgreSQL database, dropped after the test: `postgresql://user@host:port/name`."""
    url = postgres.fresh_database()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def founded_postgres_url(postgres: Postgres) -> str:
    """A PostgreSQL database with our tables and nothing in them, of which copies are made."""
    url = postgres.fresh_database()
    make_tables(url)
    return url


@pytest.fixture
def postgres_url(postgres: Postgres, founded_postgres_url: str) -> Iterator[str]:
    """A PostgreSQL database with our tables and nothing in them, dropped after the test."""
    url = postgres.fresh_database(founded_postgres_url)
    yield url
    postgres.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database with our tables and nothing in them."""
    return sqlite_in(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of either kind, with our tables and nothing in them."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """A fresh user at Dovecot with an empty INBOX."""
    return Mailbox.fresh(dovecot)

"""Connection tests tell their stages while they go on."""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest

from peers.dovecot import Dovecot
from peers.mailbox import Mailbox as Account
from peers.smtpd import SmtpServer
from posthouse.model.connectors import ImapSettings, Security, SmtpSettings
from posthouse.model.errors import CredentialsRefused, Stage
from posthouse.model.events import TestResult
from posthouse.model.hearing import Heard, Reached, Said
from posthouse.model.values import Secret, utc_now
from posthouse.remote.mailbox import check_search_terms, open_mailbox
from posthouse.remote.submission import open_submission
from posthouse.remote.tls import Tls
from posthouse.services.connectors import Connectors

from .servers import LOOPBACK

CONNECT = [Stage.NAME, Stage.CONNECTION]


@pytest.fixture
def connectors(dovecot: Dovecot) -> Connectors:
    tls = Tls(dovecot.authority.pem)
    mailbox = partial(open_mailbox, egress=LOOPBACK, tls=tls)
    submission = partial(open_submission, egress=LOOPBACK, tls=tls)
    return Connectors(cast(Any, None), mailbox, submission, check_search_terms, "posthouse.example", utc_now)


def at(server: Dovecot, account: Account, security: Security = Security.TLS, **more: Any) -> ImapSettings:
    port = server.imaps_port if security is Security.TLS else server.imap_port
    settings: dict[str, Any] = {"username": account.address, "password": Secret(account.password)} | more
    return ImapSettings(host="localhost", port=port, security=security, **settings)


class Ear:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def __call__(self, heard: Heard) -> None:
        self.heard.append(heard)

    @property
    def stages(self) -> list[Stage]:
        return [one.stage for one in self.heard if isinstance(one, Reached)]

    def told_as_it_was_logged(self, result: TestResult) -> bool:
        return tuple(one.line for one in self.heard if isinstance(one, Said)) == result.logs


async def test_a_good_test_goes_through_all_stages(connectors: Connectors, dovecot: Dovecot, mailbox: Account) -> None:
    ear = Ear()
    result = await connectors.test_imap(at(dovecot, mailbox), ear)
    assert result.success
    assert ear.stages == [*CONNECT, Stage.TLS, Stage.GREETING, Stage.SIGN_IN, Stage.FOLDER]
    assert ear.told_as_it_was_logged(result)


async def test_with_starttls_the_greeting_comes_before_tls(
    connectors: Connectors, dovecot: Dovecot, mailbox: Account
) -> None:
    ear = Ear()
    assert (await connectors.test_imap(at(dovecot, mailbox, Security.STARTTLS), ear)).success
    assert ear.stages == [*CONNECT, Stage.GREETING, Stage.TLS, Stage.SIGN_IN, Stage.FOLDER]


async def test_a_wrong_password_ends_at_the_sign_in_and_is_not_heard(
    connectors: Connectors, dovecot: Dovecot, mailbox: Account
) -> None:
    ear = Ear()
    result = await connectors.test_imap(at(dovecot, mailbox, password=Secret("wrong-and-secret")), ear)
    assert (result.success, result.stage, ear.stages[-1]) == (False, Stage.SIGN_IN, Stage.SIGN_IN)
    assert "wrong-and-secret" not in str(ear.heard)
    assert ear.told_as_it_was_logged(result)


async def test_an_untrusted_certificate_ends_at_tls(connectors: Connectors, dovecot: Dovecot, mailbox: Account) -> None:
    ear, strict = Ear(), partial(open_mailbox, egress=LOOPBACK)
    connectors._visits._open_mailbox = strict
    result = await connectors.test_imap(at(dovecot, mailbox), ear)
    assert (result.success, result.stage, ear.stages) == (False, Stage.TLS, [*CONNECT, Stage.TLS])


async def test_smtp_tells_its_stages_too(connectors: Connectors, smtp_server: SmtpServer, mailbox: Account) -> None:
    mailbox.may_send(smtp_server)
    settings = SmtpSettings(
        host="localhost",
        port=smtp_server.tls_port,
        security=Security.TLS,
        username=mailbox.address,
        password=Secret(mailbox.password),
    )
    good, bad = Ear(), Ear()
    assert (await connectors.test_smtp(settings, good)).success
    assert good.stages == [*CONNECT, Stage.TLS, Stage.GREETING, Stage.SIGN_IN]
    result = await connectors.test_smtp(replace(settings, port=1), bad)
    assert (result.stage, bad.stages) == (Stage.CONNECTION, CONNECT)


async def test_the_folders_of_a_server_are_listed_for_settings_that_are_not_saved(
    connectors: Connectors, dovecot: Dovecot, mailbox: Account
) -> None:
    names = {folder.name: folder.special_use for folder in await connectors.folders(at(dovecot, mailbox))}
    assert names["INBOX"] == "inbox"
    with pytest.raises(CredentialsRefused):
        await connectors.folders(at(dovecot, mailbox, password=Secret("wrong")))

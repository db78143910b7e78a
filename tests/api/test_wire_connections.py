"""Connections: two booleans against one word of ours, changes laid over what there was, and secrets that stay in."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api.samples import BARE_IMAP, CANARY, IMAP, PROXY, SMTP, imap_connection, smtp_connection
from posthouse.api.wire.connections import (
    ConnectorImapConnectionDto,
    ConnectorProviderSettingsDto,
    ConnectorSmtpConnectionDto,
    CreateConnectorImapConnectionOptions,
    CreateConnectorSmtpConnectionOptions,
    ImapConnectionChanges,
    SmtpConnectionChanges,
    security_of,
)
from posthouse.model.connectors import ImapSettings, Proxy, ProxyKind, Security, SmtpSettings
from posthouse.model.errors import Invalid
from posthouse.model.values import Secret

TLS, STARTTLS, PLAIN = Security.TLS, Security.STARTTLS, Security.PLAIN


def imap(**options: Any) -> ImapSettings:
    return CreateConnectorImapConnectionOptions.model_validate({"imapHost": "h.example", **options}).to_domain()


def smtp(**options: Any) -> SmtpSettings:
    return CreateConnectorSmtpConnectionOptions.model_validate({"smtpHost": "h.example", **options}).to_domain()


def change(old: ImapSettings, **options: Any) -> ImapSettings:
    return ImapConnectionChanges.model_validate(options).to_domain(old)


@pytest.mark.parametrize(
    ("ssl", "start_tls", "port", "security"),
    [
        (True, None, None, TLS),
        (True, False, 143, TLS),
        (True, True, 465, TLS),  # MailSlurp's own preset for Gmail
        (False, True, None, STARTTLS),
        (None, True, 993, STARTTLS),
        (False, False, 993, PLAIN),
        (False, None, None, PLAIN),
        (None, False, None, TLS),
        (None, False, 993, TLS),
        (None, False, 465, TLS),
        (None, False, 1143, PLAIN),
        (None, None, None, TLS),
        (None, None, 993, TLS),
        (None, None, 465, TLS),
        (None, None, 143, STARTTLS),
        (None, None, 587, STARTTLS),
        (None, None, 25, STARTTLS),
        (None, None, 2525, TLS),
    ],
)
def test_two_booleans_and_a_port_mean_one_protection(
    ssl: bool | None, start_tls: bool | None, port: int | None, security: Security
) -> None:
    assert security_of(ssl, start_tls, port) is security


def test_nothing_goes_in_the_clear_unless_it_was_asked_for() -> None:
    for start_tls in (None, True):
        for port in (None, 25, 143, 465, 587, 993, 1143, 2525):
            assert security_of(None, start_tls, port) is not PLAIN


@pytest.mark.parametrize(
    ("options", "imap_port", "smtp_port"),
    [({"ssl": True}, 993, 465), ({"startTls": True}, 143, 587), ({"ssl": False}, 143, 25)],
)
def test_a_port_that_is_not_given_follows_the_protection(
    options: dict[str, bool], imap_port: int, smtp_port: int
) -> None:
    ssl = options.pop("ssl", None)
    assert imap(imapSsl=ssl, **options).port == imap_port
    assert smtp(smtpSsl=ssl, **options).port == smtp_port


def test_options_with_a_host_alone_are_enough() -> None:
    assert imap() == ImapSettings(host="h.example", port=993, security=TLS)
    assert smtp() == SmtpSettings(host="h.example", port=465, security=TLS)


def test_what_the_seed_says_of_providers_is_said_exactly() -> None:
    said = ConnectorProviderSettingsDto().model_dump(mode="json")
    assert said["googleSettings"] == {
        "mailProvider": "GOOGLE",
        "imapHost": "imap.gmail.com",
        "imapPort": 993,
        "imapSsl": True,
        "imapStartTls": False,
        "smtpHost": "smtp.gmail.com",
        "smtpPort": 465,
        "smtpSsl": True,
        "smtpStartTls": True,
    }
    assert said["microsoftSettings"] == {
        "mailProvider": "MICROSOFT",
        "imapHost": "outlook.office365.com",
        "imapPort": 993,
        "imapSsl": True,
        "imapStartTls": False,
        "smtpHost": "smtp-mail.outlook.com",
        "smtpPort": 587,
        "smtpSsl": False,
        "smtpStartTls": True,
    }


def test_a_change_of_one_key_keeps_all_others() -> None:
    assert change(IMAP, selectFolder="Archive") == replace(IMAP, folder="Archive")
    assert change(IMAP, imapPort=1993) == replace(IMAP, port=1993)
    assert change(IMAP, enabled=False) == replace(IMAP, enabled=False)
    assert change(IMAP) == IMAP
    changed = SmtpConnectionChanges.model_validate({"smtpPort": 2525}).to_domain(SMTP)
    assert changed == replace(SMTP, port=2525)


@pytest.mark.parametrize(
    "move",
    [
        {"imapHost": "thief.example"},
        {"imapHost": "thief.example", "imapPassword": "***"},
        {"proxyHost": "thief.example", "imapSsl": False},
        {"proxyHost": "socks5://thief.example", "proxyEnabled": False},
        {"imapSsl": False},
        {"sslTrust": "*"},
    ],
)
def test_a_stored_password_never_reaches_somebody_else(move: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="imapPassword must be given again"):
        change(IMAP, **move)
    moved = change(IMAP, **{**move, "imapPassword": "new"})
    assert moved.password == Secret("new")


def test_the_booleans_of_a_change_are_laid_over_those_that_we_show() -> None:
    assert change(IMAP, imapSsl=False, imapPassword="again").security is PLAIN
    assert change(IMAP, imapSsl=False, startTls=True).security is STARTTLS
    assert change(BARE_IMAP, startTls=True).security is STARTTLS
    assert change(BARE_IMAP, imapSsl=True).security is TLS


def test_null_resets_a_setting() -> None:
    changed = change(IMAP, selectFolder=None, searchTerms=None, mechanisms=None, sslTrust=None, proxyHost=None)
    assert (changed.folder, changed.search_terms, changed.mechanisms) == ("INBOX", "", ())
    assert (changed.tls_trust, changed.proxy) == ("", None)


@pytest.mark.parametrize("password", [{}, {"imapPassword": None}, {"imapPassword": "***"}, {"imapPassword": ""}])
def test_a_password_that_is_missing_null_or_masked_is_kept(password: dict[str, Any]) -> None:
    assert change(IMAP, **password).password == Secret(CANARY)


def test_a_new_password_replaces_the_old_one() -> None:
    assert change(IMAP, imapPassword="new one").password == Secret("new one")


def test_a_change_needs_a_host_only_where_there_was_none() -> None:
    with pytest.raises(Invalid, match="imapHost is missing"):
        ImapConnectionChanges(imap_port=993).to_domain()
    with pytest.raises(ValidationError):
        CreateConnectorImapConnectionOptions.model_validate({"imapPort": 993})
    with pytest.raises(Invalid, match="imapHost is missing"):
        change(IMAP, imapHost=None)


@pytest.mark.parametrize(
    ("given_host", "proxy"),
    [
        ("proxy.example", Proxy(host="proxy.example", port=8080)),
        ("http://proxy.example", Proxy(host="proxy.example", port=8080)),
        ("proxy.example:3128", Proxy(host="proxy.example", port=3128)),
        ("[::1]", Proxy(host="::1", port=8080)),
        ("socks5://proxy.example", Proxy(host="proxy.example", port=1080, kind=ProxyKind.SOCKS5)),
        (
            "socks5://guest:tell%2Dnobody@proxy.example:1081",
            Proxy(
                host="proxy.example",
                port=1081,
                kind=ProxyKind.SOCKS5,
                username="guest",
                password=Secret(CANARY),
            ),
        ),
    ],
)
def test_a_proxy_is_a_host_or_a_url(given_host: str, proxy: Proxy) -> None:
    assert imap(proxyHost=given_host).proxy == proxy
    assert imap(proxyHost=given_host, proxyPort=99).proxy == replace(proxy, port=99)
    assert imap(proxyHost=given_host, proxyEnabled=False).proxy == replace(proxy, enabled=False)


@pytest.mark.parametrize(
    "host", ["ftp://proxy.example", "https://proxy.example", "http://", "http://p/path", "p\r\nq", "http://p:99999"]
)
def test_what_is_no_proxy_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(Invalid) as refusal:
        imap(proxyHost=host.replace("//", f"//guest:{CANARY}@"))
    assert CANARY not in refusal.value.message


def test_a_proxy_that_is_sent_back_as_we_show_it_keeps_its_credentials() -> None:
    assert change(IMAP, proxyHost="socks5://proxy.example.org", proxyPort=1080).proxy == PROXY
    assert change(IMAP, proxyHost="socks5://proxy.example.org").proxy == PROXY
    assert change(IMAP, proxyPort=1081).proxy == replace(PROXY, port=1081)
    assert change(IMAP, proxyEnabled=False).proxy == replace(PROXY, enabled=False)


def test_another_proxy_does_not_get_the_credentials_of_the_old_one() -> None:
    proxy = change(IMAP, imapPassword="again", proxyHost="socks5://elsewhere.example").proxy
    assert proxy == Proxy(host="elsewhere.example", port=1080, kind=ProxyKind.SOCKS5)


@pytest.mark.parametrize(
    "options",
    [
        {"imapHost": ""},
        {"imapHost": "imap://h"},
        {"imapHost": "h.example:993"},
        {"imapHost": "user@h"},
        {"imapHost": "h\r\nA1 LOGOUT"},
        {"imapPort": 0},
        {"imapPort": 65536},
        {"imapUsername": "a\r\nb"},
        {"selectFolder": "a\0b"},
        {"selectFolder": "a\ud800b"},
        {"searchTerms": "ALL\r\nA2 DELETE x"},
        {"localHostName": "a\nb"},
        {"mechanisms": ["PLAIN\r\n"]},
        {"imapSsl": "perhaps"},
    ],
)
def test_what_could_break_out_of_a_command_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        imap(**options)


def test_a_password_may_hold_anything_but_line_breaks() -> None:
    assert imap(imapPassword='ключ "{3}\\').password == Secret('ключ "{3}\\')
    for wrong in ("a\r\nb", "a\0b", "a\ud800b"):
        with pytest.raises(Invalid, match="imapPassword"):
            imap(imapPassword=wrong)


def test_options_do_not_print_what_is_secret() -> None:
    options = CreateConnectorImapConnectionOptions.model_validate(
        {"imapHost": "h", "imapPassword": CANARY, "proxyHost": f"http://u:{CANARY}@p"}
    )
    assert CANARY not in repr(options)
    assert CANARY not in options.model_dump_json()


names = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,4})?", fullmatch=True)
proxies = st.builds(
    Proxy,
    host=names | st.just("2001:db8::1"),
    port=st.integers(1, 65535),
    kind=st.sampled_from(ProxyKind),
    username=st.just("") | names,
    password=st.none() | st.builds(Secret, names),
    enabled=st.booleans(),
)
server_settings = {
    "host": names | st.just("2001:db8::1"),
    "port": st.integers(1, 65535),
    "security": st.sampled_from(Security),
    "username": st.just("") | names,
    "password": st.none() | st.builds(Secret, names),
    "enabled": st.booleans(),
    "mechanisms": st.lists(names, max_size=2).map(tuple),
    "tls_protocols": st.lists(names, max_size=2).map(tuple),
    "tls_trust": st.just("") | names,
    "local_host_name": st.just("") | names,
    "proxy": st.none() | proxies,
}


@settings(max_examples=100, deadline=None)
@given(st.builds(ImapSettings, **server_settings, folder=names, search_terms=st.just("") | names))
def test_an_imap_answer_that_is_sent_back_changes_nothing(old: ImapSettings) -> None:
    shown = ConnectorImapConnectionDto.of(imap_connection(old)).model_dump_json()
    assert ImapConnectionChanges.model_validate_json(shown).to_domain(old) == old


@settings(max_examples=100, deadline=None)
@given(st.builds(SmtpSettings, **server_settings))
def test_an_smtp_answer_that_is_sent_back_changes_nothing(old: SmtpSettings) -> None:
    shown = ConnectorSmtpConnectionDto.of(smtp_connection(old)).model_dump_json()
    assert SmtpConnectionChanges.model_validate_json(shown).to_domain(old) == old

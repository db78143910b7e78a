"""Providers of mailboxes: which servers and user names belong to an address, and what is to be done there first.

Nothing is looked up: what a provider's address is like is known by its domain, and for every other domain there is a
guess by the usual names of servers, which says that it is one.
"""

from dataclasses import dataclass
from typing import Any

from posthouse.model.connectors import GOOGLE, MICROSOFT, Endpoint, Security

PASSWORD = "password"  # noqa: S105 (a word)
APP_PASSWORD = "app password"  # noqa: S105
CODE = "authorization code"
TOKEN = "access token"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known of a provider. `secret` is what it takes as the password, and `steps` are how to come by it.

    `domains` are those of its addresses; one without any is for addresses in its customers' domains. Where
    `local_imap`, `local_smtp`, the user name is what stands before the @. `warning` tells what fails there, `link`
    is where the secret is made.
    """

    key: str
    name: str
    imap: Endpoint
    smtp: Endpoint
    domains: tuple[str, ...] = ()
    local_imap: bool = False
    local_smtp: bool = False
    secret: str = PASSWORD
    steps: tuple[str, ...] = ()
    warning: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings for an address. Without a `preset` they are a guess."""

    preset: Preset | None
    imap: Endpoint
    smtp: Endpoint
    imap_username: str
    smtp_username: str


def propose(address: str, key: str = "") -> Proposal | None:
    """Settings for this address: of the provider with this key, of the one its domain belongs to, or a guess. None
    when it is no address, and no provider is named."""
    local, at, domain = address.strip().rpartition("@")
    domain = domain.lower().rstrip(".")
    preset = BY_KEY.get(key) or _BY_DOMAIN.get(domain)
    if preset is None and (not at or "." not in domain):
        return None
    if preset is not None:
        whole = address.strip()
        return Proposal(
            preset,
            preset.imap,
            preset.smtp,
            imap_username=local if preset.local_imap else whole,
            smtp_username=local if preset.local_smtp else whole,
        )
    imap, smtp = _tls(f"imap.{domain}", f"smtp.{domain}")
    return Proposal(None, imap, smtp, address.strip(), address.strip())


def _tls(imap: str, smtp: str) -> tuple[Endpoint, Endpoint]:
    """Both with TLS from the first byte (RFC 8314)."""
    return Endpoint(imap, 993, Security.TLS), Endpoint(smtp, 465, Security.TLS)


def _of(key: str, name: str, imap: str, smtp: str, *domains: str, **more: Any) -> Preset:
    at_imap, at_smtp = _tls(imap, smtp)
    return Preset(key=key, name=name, imap=at_imap, smtp=at_smtp, domains=domains, **more)


def _app_password(where: str, needs: str = "") -> dict[str, Any]:
    return {"secret": APP_PASSWORD, "steps": (*filter(None, [needs]), f"Make an app password: {where}.")}


def _switched_on(where: str) -> dict[str, Any]:
    return {"steps": (f"Switch IMAP on: {where}.",)}


_MICROSOFT_TODAY = (
    "Microsoft takes no password for IMAP any more, and no app password either. What works is an OAuth access token in "
    "its place, which lives for about an hour. Signing in at Microsoft from here is not built yet, so whoever has such "
    "tokens must renew them from outside."
)

PRESETS: tuple[Preset, ...] = (
    Preset(
        key="google",
        name="Gmail, Google Workspace",
        imap=GOOGLE.imap,
        smtp=GOOGLE.smtp,
        domains=("gmail.com", "googlemail.com"),
        secret=APP_PASSWORD,
        steps=(
            "Switch on 2-step verification: myaccount.google.com/signinoptions/twosv.",
            "Make an app password: myaccount.google.com/apppasswords.",
            "Enter its 16 letters here. The password of the Google account does not work.",
        ),
        link="https://myaccount.google.com/apppasswords",
        warning=(
            "IMAP is always on at Google; there is nothing to switch. In a Workspace, an administrator may have "
            "forbidden app passwords. A change of the account's password revokes all of them."
        ),
    ),
    Preset(
        key="microsoft",
        name="Outlook.com, Hotmail, Live",
        imap=MICROSOFT.imap,
        smtp=MICROSOFT.smtp,
        domains=(
            *("outlook.com", "outlook.de", "outlook.fr", "outlook.es", "outlook.it", "outlook.jp", "outlook.com.br"),
            *("hotmail.com", "hotmail.co.uk", "hotmail.de", "hotmail.fr", "hotmail.it", "hotmail.es", "hotmail.nl"),
            *("live.com", "live.co.uk", "live.de", "live.fr", "live.it", "live.nl", "msn.com", "passport.com"),
        ),
        secret=TOKEN,
        warning=_MICROSOFT_TODAY,
    ),
    Preset(
        key="microsoft365",
        name="Microsoft 365, Exchange Online",
        imap=MICROSOFT.imap,
        smtp=Endpoint("smtp.office365.com", 587, Security.STARTTLS),
        secret=TOKEN,
        warning=(
            f"{_MICROSOFT_TODAY} Sending with a password still works where the organisation and the mailbox allow it; "
            "at the end of December 2026 it goes off by default, and an administrator can switch it on again."
        ),
    ),
    _of(
        *("yahoo", "Yahoo", "imap.mail.yahoo.com", "smtp.mail.yahoo.com"),
        *("yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in"),
        *("yahoo.co.in", "yahoo.com.au", "yahoo.com.br", "yahoo.com.mx", "yahoo.com.ar", "ymail.com", "rocketmail.com"),
        **_app_password("account settings, Security"),
        link="https://login.yahoo.com/account/security",
    ),
    _of(
        *("aol", "AOL", "imap.aol.com", "smtp.aol.com", "aol.com", "aol.de", "aol.co.uk", "aol.fr", "aim.com"),
        **_app_password("account settings, Security"),
    ),
    Preset(
        key="icloud",
        name="iCloud",
        imap=Endpoint("imap.mail.me.com", 993, Security.TLS),
        smtp=Endpoint("smtp.mail.me.com", 587, Security.STARTTLS),
        domains=("icloud.com", "me.com", "mac.com"),
        local_imap=True,
        secret="app-specific password",  # noqa: S106 (a word)
        steps=(
            "Switch on two-factor authentication for the Apple account.",
            "Make an app-specific password: account.apple.com, Sign-In and Security.",
        ),
        link="https://account.apple.com/account/manage",
        warning="An address in a domain of your own signs in with the account's iCloud address.",
    ),
    _of(
        *("fastmail", "Fastmail", "imap.fastmail.com", "smtp.fastmail.com", "fastmail.com", "fastmail.fm"),
        **_app_password("Settings, Privacy & Security, with access to IMAP and SMTP"),
    ),
    *(
        _of(
            *(key, f"Zoho ({top})", f"imap.zoho.{top}", f"smtp.zoho.{top}"),
            *domains,
            steps=(
                "Switch IMAP on: Zoho Mail, Settings, Mail Accounts.",
                "With two-factor sign-in, make an app password and enter that.",
            ),
            warning="The servers must be those of the account's data centre, or the sign-in fails. Organisations use "
            f"imappro.zoho.{top} and smtppro.zoho.{top}.",
        )
        for key, top, domains in (
            ("zoho", "com", ("zohomail.com", "zoho.com")),
            ("zoho-eu", "eu", ("zohomail.eu", "zoho.eu")),
            ("zoho-in", "in", ("zohomail.in", "zoho.in")),
        )
    ),
    _of(
        *("yandex", "Yandex", "imap.yandex.com", "smtp.yandex.com"),
        *("yandex.com", "yandex.ru", "yandex.by", "yandex.kz", "ya.ru"),
        secret=APP_PASSWORD,
        steps=("Switch IMAP on in the settings of Yandex Mail.", "Make an app password for mail in the Yandex ID."),
    ),
    _of(
        *(
            "mailru",
            "Mail.ru",
            "imap.mail.ru",
            "smtp.mail.ru",
            "mail.ru",
            "bk.ru",
            "list.ru",
            "inbox.ru",
            "internet.ru",
        ),
        secret="password for an external application",  # noqa: S106 (a word)
        steps=("Make a password for an external application in the account's security settings.",),
    ),
    _of(
        *("gmx", "GMX (net)", "imap.gmx.net", "mail.gmx.net", "gmx.net", "gmx.de", "gmx.at", "gmx.ch"),
        **_switched_on("GMX, E-Mail, Settings, POP3/IMAP"),
    ),
    _of(
        *("gmx-com", "GMX (com)", "imap.gmx.com", "mail.gmx.com", "gmx.com", "gmx.us", "gmx.co.uk"),
        **_switched_on("GMX, E-mail, Settings, POP3 & IMAP"),
    ),
    _of(
        *("webde", "WEB.DE", "imap.web.de", "smtp.web.de", "web.de"),
        local_imap=True,
        local_smtp=True,
        **_switched_on("WEB.DE, E-Mail, Settings, POP3/IMAP"),
    ),
    _of("mailcom", "mail.com", "imap.mail.com", "smtp.mail.com", "mail.com", "email.com"),
    _of(
        *("mailboxorg", "mailbox.org", "imap.mailbox.org", "smtp.mailbox.org", "mailbox.org"),
        steps=("With two-factor sign-in, make an app password and enter that.",),
    ),
    _of("posteo", "Posteo", "posteo.de", "posteo.de", "posteo.de", "posteo.net", "posteo.org", "posteo.at"),
    _of(
        *("tonline", "T-Online", "secureimap.t-online.de", "securesmtp.t-online.de", "t-online.de", "magenta.de"),
        secret="e-mail password",  # noqa: S106 (a word)
        steps=("Make the separate e-mail password in the customer centre.",),
    ),
    _of("ionos", "IONOS, 1&1", "imap.1und1.de", "smtp.1und1.de"),
    _of("ovh", "OVH", "ssl0.ovh.net", "ssl0.ovh.net", warning="The host differs by offer: see OVH's panel."),
    _of("gandi", "Gandi", "mail.gandi.net", "mail.gandi.net"),
    _of("rackspace", "Rackspace", "secure.emailsrvr.com", "secure.emailsrvr.com"),
    _of("hetzner", "Hetzner", "mail.your-server.de", "mail.your-server.de"),
    _of("strato", "Strato", "imap.strato.de", "smtp.strato.de"),
    _of(
        *("comcast", "Comcast", "imap.comcast.net", "smtp.comcast.net", "comcast.net"),
        steps=("Allow third-party access in Xfinity's e-mail settings.",),
    ),
    _of(
        *("att", "AT&T", "imap.mail.att.net", "smtp.mail.att.net", "att.net", "sbcglobal.net", "bellsouth.net"),
        secret="secure mail key",  # noqa: S106 (a word)
        steps=("Make a secure mail key in the account's settings.",),
    ),
    _of(
        *("qq", "QQ", "imap.qq.com", "smtp.qq.com", "qq.com"),
        local_imap=True,
        local_smtp=True,
        secret=CODE,
        steps=("Switch IMAP and SMTP on in the webmail, which then shows an authorization code.",),
    ),
    *(
        _of(
            *(key, name, f"imap.{domain}", f"smtp.{domain}", domain),
            secret=CODE,
            steps=("Switch IMAP and SMTP on in the webmail, which then shows an authorization code.",),
        )
        for key, name, domain in (("163", "163", "163.com"), ("126", "126", "126.com"))
    ),
    _of(
        *("naver", "Naver", "imap.naver.com", "smtp.naver.com", "naver.com"),
        **_switched_on("Naver Mail, Settings, POP3/IMAP"),
    ),
    _of("orange", "Orange", "imap.orange.fr", "smtp.orange.fr", "orange.fr", "wanadoo.fr"),
    _of("free", "Free", "imap.free.fr", "smtp.free.fr", "free.fr", local_imap=True, local_smtp=True),
    _of("libero", "Libero", "imapmail.libero.it", "smtp.libero.it", "libero.it"),
    _of("seznam", "Seznam", "imap.seznam.cz", "smtp.seznam.cz", "seznam.cz", "email.cz"),
    Preset(
        key="proton",
        name="Proton, by Bridge",
        imap=Endpoint("127.0.0.1", 1143, Security.STARTTLS),
        smtp=Endpoint("127.0.0.1", 1025, Security.STARTTLS),
        domains=("proton.me", "protonmail.com", "pm.me"),
        secret="password that Bridge shows",  # noqa: S106 (a word)
        steps=(
            "Run Proton Bridge on the machine where Posthouse runs, and allow it: POSTHOUSE_EGRESS_ALLOW=127.0.0.0/8.",
            "Take user name and password as Bridge shows them, and pin its certificate under “Certificate”.",
        ),
        warning="Proton's servers have no IMAP: it works by Bridge alone.",
    ),
)

BY_KEY = {preset.key: preset for preset in PRESETS}
_BY_DOMAIN = {domain: preset for preset in PRESETS for domain in preset.domains}

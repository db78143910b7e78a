"""Providers that want to be treated in their own way, by name, and what to tell their users.

What every server may get wrong is dealt with where it happens; here is only what is known of one provider.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What is special about a provider, known by the domains of its servers."""

    domains: tuple[str, ...] = ()
    remedy: str = ""
    """What a user can do when the credentials are refused."""
    identify_first: bool = False
    """Wants to know who we are before we sign in."""
    user_without_domain: bool = False
    """Knows its users by the part before the @, by the whole address only sometimes."""
    welcomes_strangers: bool = False
    """May say yes to a sign-in that failed; the next command tells."""
    files_sent: bool = False
    """Its SMTP server puts a copy of what it sends into the mailbox's Sent folder by itself."""


def _app_password(provider: str) -> str:
    return f"{provider} takes no account password from mail programs: make an app password for this connector"


def _authorization_code(provider: str) -> str:
    return (
        f"{provider} takes an authorization code instead of the password: switch IMAP and SMTP on in its webmail, "
        "which shows one"
    )


_KNOWN = (
    Quirks(
        domains=("gmail.com", "googlemail.com"),
        remedy=(
            "Google takes no account password from mail programs: switch on 2-step verification, make an app "
            "password at myaccount.google.com/apppasswords and use that one"
        ),
        files_sent=True,
    ),
    Quirks(
        domains=("outlook.com", "office365.com", "office.com", "hotmail.com", "live.com"),
        remedy=(
            "Microsoft takes no passwords for IMAP and SMTP any more: use an OAuth access token (mechanism "
            "XOAUTH2); the mailbox, and the organisation it belongs to, must also allow IMAP or SMTP AUTH"
        ),
        # Exchange says OK to a token without the right scope, for a mailbox that is another's or has IMAP switched
        # off; the next command is answered "BAD User is authenticated but not connected".
        welcomes_strangers=True,
        files_sent=True,
    ),
    Quirks(
        domains=("mail.me.com", "icloud.com"),
        remedy=_app_password("iCloud"),
        user_without_domain=True,  # its IMAP; its SMTP wants the whole address
        files_sent=True,
    ),
    # Coremail answers SELECT with "Unsafe Login" to a client that has not sent ID.
    Quirks(
        domains=("163.com", "126.com", "yeah.net"),
        remedy=_authorization_code("NetEase"),
        identify_first=True,
    ),
    Quirks(
        domains=("qq.com", "foxmail.com"),
        remedy=_authorization_code("QQ"),
    ),
    Quirks(domains=("yahoo.com", "yahoo.co.jp", "yahoodns.net"), remedy=_app_password("Yahoo")),
    Quirks(domains=("aol.com",), remedy=_app_password("AOL")),
    Quirks(domains=("fastmail.com", "messagingengine.com"), remedy=_app_password("Fastmail")),
    Quirks(domains=("yandex.com", "yandex.ru"), remedy=_app_password("Yandex")),
    Quirks(domains=("mail.ru",), remedy=_app_password("Mail.ru")),
    Quirks(domains=("zoho.com", "zoho.eu", "zoho.in"), files_sent=True),
    Quirks(domains=("t-online.de",), remedy="T-Online wants its own e-mail password, made in its customer centre"),
    Quirks(
        domains=("gmx.net", "gmx.com", "web.de"),
        remedy="GMX and WEB.DE let mail programs in only after IMAP and POP3 are switched on in their settings",
    ),
)
_NONE = Quirks()


def quirks_of(host: str) -> Quirks:
    """What is known of the provider that this host belongs to."""
    for quirks in _KNOWN:
        if any(host == domain or host.endswith(f".{domain}") for domain in quirks.domains):
            return quirks
    return _NONE


def files_sent(host: str) -> bool:
    """Whether this SMTP server keeps a copy of what it sends in the mailbox's Sent folder by itself."""
    return quirks_of(host).files_sent

"""The form of a new connector: what was typed, what is proposed, what it means, and what is wrong with it.

The form is kept in the browser alone, and a password never goes back into a page. A proposal fills in what nobody has
typed: a field that is empty, or still has what was proposed before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, Self

from posthouse.dashboard.typed import CONTROL, MOST_MINUTES, holds_control, server, texts
from posthouse.model.connectors import ImapSettings, SmtpSettings, SyncSettings
from posthouse.model.providers import TOKEN, Proposal, propose
from posthouse.model.values import Secret
from posthouse.services.connectors import NewConnector

BACK = {"all": None, "day": 1, "week": 7, "month": 31, "year": 366}
"""How far back mail is fetched, in days."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # never the locale's


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The texts of all fields but the password, as they were typed; a box that is not ticked is ''."""

    email_address: str = ""
    name: str = ""
    provider: str = ""
    proposed_for: str = ""
    proposed_as: str = ""
    sign_in: str = "password"
    imap: str = "on"
    imap_host: str = ""
    imap_port: str = "993"
    imap_security: str = "tls"
    imap_username: str = ""
    folder: str = "INBOX"
    smtp: str = "on"
    smtp_host: str = ""
    smtp_port: str = "465"
    smtp_security: str = "tls"
    smtp_username: str = ""
    trust: str = ""
    how: str = "push"
    minutes: str = "5"
    back: str = "all"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """What a browser has sent."""
        said = texts(given, (one.name for one in fields(cls)))
        return cls(**{name: text.strip() for name, text in said.items()})

    @property
    def proposal(self) -> Proposal | None:
        return propose(self.email_address, self.provider)

    def with_proposal(self) -> Self:
        """The form with what belongs to its address and provider, where nobody has typed anything else."""
        now = self.proposal
        if now is None:
            return self
        untouched = (_NOTHING, _proposed(propose(self.proposed_for, self.proposed_as)))
        changes = {
            name: text
            for name, text in _proposed(now).items()
            if getattr(self, name) == "" or getattr(self, name) in [before[name] for before in untouched if before]
        }
        return replace(self, **changes, proposed_for=self.email_address, proposed_as=self.provider)


def _proposed(proposal: Proposal | None) -> dict[str, str]:
    if proposal is None:
        return {}
    return {
        "sign_in": "token" if proposal.preset is not None and proposal.preset.secret == TOKEN else "password",
        "imap_host": proposal.imap.host,
        "imap_port": str(proposal.imap.port),
        "imap_security": proposal.imap.security.value,
        "imap_username": proposal.imap_username,
        "smtp_host": proposal.smtp.host,
        "smtp_port": str(proposal.smtp.port),
        "smtp_security": proposal.smtp.security.value,
        "smtp_username": proposal.smtp_username,
    }


_NOTHING = {
    one.name: str(one.default)
    for one in fields(Form)
    if one.name == "sign_in" or (one.name.startswith(("imap_", "smtp_")) and isinstance(one.default, str))
}


def as_options(form: Form) -> str:
    """What the API takes to link the same mailbox, as JSON; the password is left to be filled in."""
    options: dict[str, Any] = {
        "createConnectorOptions": {"name": form.name or None, "emailAddress": form.email_address}
    }
    if form.imap:
        options["createConnectorImapConnectionOptions"] = _connection(form, "imap") | {"selectFolder": form.folder}
    if form.smtp:
        options["createConnectorSmtpConnectionOptions"] = _connection(form, "smtp")
    if form.imap and form.how != "manual" and form.minutes.isdecimal():
        options["createConnectorSyncSettingsOptions"] = {"syncEnabled": True, "syncInterval": int(form.minutes)}
    return json.dumps(options, indent=1, ensure_ascii=False)


def _connection(form: Form, which: str) -> dict[str, Any]:
    security, port = getattr(form, f"{which}_security"), getattr(form, f"{which}_port")
    return {
        f"{which}Host": getattr(form, f"{which}_host"),
        f"{which}Port": int(port) if port.isdecimal() else None,
        f"{which}Ssl": security == "tls",
        "startTls": security == "starttls",
        f"{which}Username": getattr(form, f"{which}_username"),
        f"{which}Password": "…",
    }


@dataclass(slots=True)
class Reading:
    """What a form means: `wish` is whole when there are no `problems`, each by the name of its field."""

    wish: NewConnector
    problems: dict[str, str]


def read(form: Form, password: str, today: date) -> Reading:
    """Understand a form. `today` is the day from which it is counted how far back mail is wanted."""
    problems: dict[str, str] = {}
    address = form.email_address
    if "@" not in address.strip("@") or not address.isprintable() or len(address) > 320:
        problems["email_address"] = "enter the address of the mailbox, such as ann@example.org"
    if not password or holds_control(password):
        problems["password"] = CONTROL if password else "enter it"
    if not form.imap and not form.smtp:
        problems["imap"] = "tick one of the two at least: mail comes by IMAP and goes by SMTP"
    for name in ("name", "folder", "trust", "imap_username", "smtp_username"):
        if not getattr(form, name).isprintable():
            problems[name] = CONTROL
    if form.imap and not form.imap_username:
        problems["imap_username"] = "enter it; mostly it is the address"
    common: dict[str, Any] = {
        "password": Secret(password),
        "tls_trust": form.trust,
        "mechanisms": ("XOAUTH2",) if form.sign_in == "token" else (),
    }
    imap = smtp = None
    if form.imap:
        at_imap = server(form.imap_host, form.imap_port, form.imap_security, problems, "imap_")
        terms = _since(form.back, today)
        folder = form.folder or "INBOX"
        imap = ImapSettings(**at_imap, **common, username=form.imap_username, folder=folder, search_terms=terms)
    if form.smtp:
        at_smtp = server(form.smtp_host, form.smtp_port, form.smtp_security, problems, "smtp_")
        smtp = SmtpSettings(**at_smtp, **(common if form.smtp_username else {}), username=form.smtp_username)
    wish = NewConnector(
        name=form.name or None, email_address=address, imap=imap, smtp=smtp, sync=_schedule(form, problems)
    )
    return Reading(wish, problems)


def _schedule(form: Form, problems: dict[str, str]) -> SyncSettings | None:
    if form.how == "manual" or not form.imap:
        return None
    if not form.minutes.isdecimal() or not 0 < int(form.minutes[:6]) <= MOST_MINUTES:
        problems["minutes"] = f"enter a number of minutes, 1 to {MOST_MINUTES}"
        return None
    return SyncSettings(enabled=True, interval=timedelta(minutes=int(form.minutes)))


def _since(back: str, today: date) -> str:
    """The search key that leaves older mail where it is (RFC 3501 §6.4.4)."""
    days = BACK.get(back)
    if days is None:
        return ""
    day = today - timedelta(days=days)
    return f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year:04}"

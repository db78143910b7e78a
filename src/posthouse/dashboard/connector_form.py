"""The forms in which a connector's settings are changed: what was typed, what it means, and what is wrong with it.

A password never goes into a page. A field left empty keeps the stored one, unless the change could bring it to somebody
else; settings that have no field here (proxy, mechanisms, TLS versions) stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from posthouse.dashboard.typed import CONTROL, MOST_MINUTES, holds_control, server, texts
from posthouse.model.connectors import (
    ImapSettings,
    Security,
    ServerSettings,
    SmtpSettings,
    SyncSchedule,
    SyncSettings,
    exposed_by,
)
from posthouse.model.values import Secret

_LINES = ("username", "folder", "search_terms", "tls_trust")


@dataclass(slots=True)
class Reading:
    """What a form means: the `settings` are good when there are no `problems`, each by the name of its field."""

    settings: ImapSettings | SmtpSettings
    problems: dict[str, str]


def shown(settings: ServerSettings | None, kind: str) -> dict[str, str]:
    """What the fields show of settings; of none, what a new connection starts with."""
    if settings is None:
        return {"port": "993" if kind == "imap" else "465", "security": "tls", "enabled": "on", "folder": "INBOX"}
    fields = {
        "host": settings.host,
        "port": str(settings.port),
        "security": settings.security.value,
        "username": settings.username,
        "tls_trust": settings.tls_trust,
        "enabled": "on" if settings.enabled else "",
    }
    if isinstance(settings, ImapSettings):
        fields |= {"folder": settings.folder, "search_terms": settings.search_terms}
    return fields


def given(form: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a form as a browser has sent it, without the password."""
    said = texts(form, (*_LINES, "host", "port", "security", "enabled"))
    return {name: text.strip() for name, text in said.items()}


def read(kind: str, fields: Mapping[str, str], password: str, old: ServerSettings | None) -> Reading:
    """The settings that a form asks for in place of `old`."""
    problems: dict[str, str] = {}
    at = server(fields.get("host", ""), fields.get("port", ""), fields.get("security", ""), problems)
    for name in _LINES:
        if not fields.get(name, "").isprintable():
            problems[name] = CONTROL
    if holds_control(password):
        problems["password"] = CONTROL
    common: dict[str, Any] = {
        **at,
        "username": fields.get("username", ""),
        "tls_trust": fields.get("tls_trust", ""),
        "enabled": bool(fields.get("enabled")),
    }
    settings: ImapSettings | SmtpSettings
    if kind == "imap":
        more: dict[str, Any] = {
            "folder": fields.get("folder") or "INBOX",
            "search_terms": fields.get("search_terms", ""),
        }
        before = old if isinstance(old, ImapSettings) else ImapSettings(host="", port=0, security=Security.TLS)
        settings = replace(before, **common, **more)
    else:
        sent = old if isinstance(old, SmtpSettings) else SmtpSettings(host="", port=0, security=Security.TLS)
        settings = replace(sent, **common)
    if password:
        settings = replace(settings, password=Secret(password))
    elif old is not None and old.password and (what := exposed_by(old, settings)):
        # Or whoever is signed in could have the stored password sent to a server of his own.
        problems["password"] = f"enter it again, because the {what} is another"
    return Reading(settings, problems)


def shown_schedule(schedule: SyncSchedule | None) -> dict[str, str]:
    settings = schedule.settings if schedule else None
    interval = settings.interval if settings else None
    return {
        "how": "push" if settings and settings.enabled else "manual",
        "minutes": f"{(interval or timedelta(minutes=5)).total_seconds() / 60:g}",
        "watch_folders": "\n".join(settings.watch_folders) if settings else "",
    }


def read_schedule(fields: Mapping[str, str]) -> tuple[SyncSettings, dict[str, str]]:
    problems: dict[str, str] = {}
    try:
        minutes = float(fields.get("minutes", ""))
    except ValueError:
        minutes = 0.0
    if not 1 / 60 <= minutes <= MOST_MINUTES:
        problems["minutes"], minutes = f"enter a number of minutes, up to {MOST_MINUTES}", 5.0
    lines = [line.strip() for line in fields.get("watch_folders", "").splitlines()]
    folders = tuple(dict.fromkeys(line for line in lines if line))
    if not all(folder.isprintable() for folder in folders):
        problems["watch_folders"] = "names of folders may not hold control characters"
    enabled = fields.get("how") == "push"
    return SyncSettings(enabled=enabled, interval=timedelta(minutes=minutes), watch_folders=folders), problems

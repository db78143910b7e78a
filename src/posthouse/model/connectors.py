"""Connectors: an external mailbox tied to one of our inboxes, and how to reach it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from posthouse.model.values import AccountId, ConnectorId, InboxId, Secret


class Security(StrEnum):
    """How a connection is protected. It is chosen, never negotiated down (RFC 8314 prefers TLS)."""

    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


class ProxyKind(StrEnum):
    HTTP = "http"
    SOCKS5 = "socks5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The way round: an HTTP CONNECT or SOCKS5 proxy. A disabled one is kept, and not used."""

    host: str
    port: int
    kind: ProxyKind = ProxyKind.HTTP
    username: str = ""
    password: Secret | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What IMAP and SMTP settings have in common.

    `mechanisms` are the SASL mechanisms to try, in this order; empty means that we choose. `tls_protocols` are
    the versions that may be used (`TLSv1.2`, `TLSv1.3`); empty means 1.2 and up. `tls_trust` names hosts whose
    certificate is taken unchecked (`*`: any) or a SHA-256 fingerprint to pin; '' means full verification.
    """

    host: str
    port: int
    security: Security
    username: str = ""
    password: Secret | None = None
    enabled: bool = True
    mechanisms: tuple[str, ...] = ()
    tls_protocols: tuple[str, ...] = ()
    tls_trust: str = ""
    local_host_name: str = ""
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapSettings(ServerSettings):
    """Where mail is read from. `folder` is the mailbox to sync; `search_terms` are IMAP search keys that narrow it."""

    folder: str = "INBOX"
    search_terms: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings(ServerSettings):
    """Where mail is sent through."""


def exposed_by(old: ServerSettings, new: ServerSettings) -> str:
    """By which change of settings a stored password could reach somebody else than before, in a word for people; ''
    when by none. Then the password must be given again (decision 6)."""
    if new.host != old.host:
        return "server"
    if Security.PLAIN is new.security is not old.security:
        return "encryption"
    if new.tls_trust and new.tls_trust != old.tls_trust:
        return "certificate"
    if set(new.tls_protocols) - set(old.tls_protocols) and old.tls_protocols:
        return "TLS version"
    if new.proxy is not None and (old.proxy is None or new.proxy.host != old.proxy.host):
        return "proxy"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """When a connector is synced by itself, and in which folders beside its own."""

    enabled: bool
    interval: timedelta | None = None
    watch_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapConnection:
    id: UUID
    connector_id: ConnectorId
    settings: ImapSettings
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConnection:
    id: UUID
    connector_id: ConnectorId
    settings: SmtpSettings
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSchedule:
    id: UUID
    account_id: AccountId
    connector_id: ConnectorId
    settings: SyncSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """An external mailbox tied to one of our inboxes.

    Mail is read from it when it has an IMAP connection and sent through it when it has an SMTP one; a connector
    with neither is allowed and does nothing, so that it can be made before the credentials are known.
    """

    id: ConnectorId
    account_id: AccountId
    inbox_id: InboxId
    name: str | None
    email_address: str | None
    enabled: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that we know by name: where its servers are."""

    name: str
    imap: Endpoint
    smtp: Endpoint


GOOGLE = Provider(
    "GOOGLE",
    imap=Endpoint("imap.gmail.com", 993, Security.TLS),
    smtp=Endpoint("smtp.gmail.com", 465, Security.TLS),
)
MICROSOFT = Provider(
    "MICROSOFT",
    imap=Endpoint("outlook.office365.com", 993, Security.TLS),
    smtp=Endpoint("smtp-mail.outlook.com", 587, Security.STARTTLS),
)

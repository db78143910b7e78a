"""The IMAP and SMTP connections of a connector, as MailSlurp's clients know them.

Two decisions of the wire are undone here, once. A connection's protection is two booleans there (`imapSsl` or
`smtpSsl`, and `startTls`) and one `Security` of ours. And a connection is changed there with the same options
that make one, so a change is understood as the old settings with the given keys laid over them.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

from posthouse.api.wire.common import Line, Moment, OptionalResult, WireModel, is_one_line
from posthouse.model.connectors import (
    GOOGLE,
    MICROSOFT,
    ImapConnection,
    ImapSettings,
    Provider,
    Proxy,
    ProxyKind,
    Security,
    ServerSettings,
    SmtpConnection,
    SmtpSettings,
    exposed_by,
)
from posthouse.model.errors import Invalid
from posthouse.model.events import TestResult
from posthouse.model.values import Secret

MASK = "***"
"""A password that says "the one that you have"."""

_TLS_PORTS = {993, 465}
_STARTTLS_PORTS = {143, 587, 25}
_IMAP_PORTS = {Security.TLS: 993, Security.STARTTLS: 143, Security.PLAIN: 143}
_SMTP_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.PLAIN: 25}
_PROXY_PORTS = {ProxyKind.HTTP: 8080, ProxyKind.SOCKS5: 1080}
_PROXY_SCHEMES = {
    "http": ProxyKind.HTTP,
    "socks5": ProxyKind.SOCKS5,
    "socks5h": ProxyKind.SOCKS5,
}


def _called(what: str, prefix: str) -> str:
    """What `exposed_by` found, in the words of our options."""
    names = {"server": f"{prefix}Host", "encryption": f"{prefix}Ssl or startTls", "certificate": "sslTrust"}
    return names.get(what) or {"TLS version": "sslProtocols", "proxy": "proxyHost"}[what]


def security_of(ssl: bool | None, start_tls: bool | None, port: int | None) -> Security:
    """The protection that the two booleans mean; None is a key that was not given.

    `ssl` wins over `startTls`: MailSlurp's own preset for Gmail sets both, on port 465. What was not said is read
    off the port, and an unknown port gets TLS, so that nothing is sent in the clear that was not asked to be.
    """
    if ssl:
        return Security.TLS
    if start_tls:
        return Security.STARTTLS
    if ssl is False:
        return Security.PLAIN
    if start_tls is False:
        return Security.TLS if port is None or port in _TLS_PORTS else Security.PLAIN
    return Security.STARTTLS if port in _STARTTLS_PORTS else Security.TLS


def _bare_host(text: str) -> str:
    text = text.strip().removeprefix("[").removesuffix("]")
    if not text or any(character in "/@\\[] " for character in text) or text.count(":") == 1:
        raise ValueError("must be a bare host name or address, without scheme, port, path or user")
    return text


Host = Annotated[Line, Field(min_length=1, max_length=255), AfterValidator(_bare_host)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _ConnectionChanges(WireModel):
    """What the options of IMAP and SMTP connections share; what they don't share differs by a prefix only."""

    _prefix: ClassVar[str]
    _mechanisms: ClassVar[str]
    _ports: ClassVar[dict[Security, int]]

    enabled: bool | None = None
    start_tls: bool | None = None
    proxy_enabled: bool | None = None
    proxy_port: Port | None = None
    proxy_host: SecretStr | None = None
    local_host_name: Line | None = None
    ssl_trust: Line | None = None
    ssl_protocols: list[Line] | None = None

    def _asked(self, field: str, old: Any) -> Any:
        """What was given for this field, or else the old value. An explicit null is given: it resets."""
        return getattr(self, field) if field in self.model_fields_set else old

    def _server(self, old: ServerSettings | None) -> dict[str, Any]:
        prefix = self._prefix
        host = self._asked(f"{prefix}_host", old and old.host)
        if not host:
            raise Invalid(f"{prefix}Host is missing")
        port = self._asked(f"{prefix}_port", old and old.port)
        ssl = self._asked(f"{prefix}_ssl", old and old.security is Security.TLS)
        start_tls = self._asked("start_tls", old and old.security is Security.STARTTLS)
        security = security_of(ssl, start_tls, port)
        enabled = self._asked("enabled", old and old.enabled)
        asked = {
            "host": host,
            "port": port or self._ports[security],
            "security": security,
            "username": self._asked(f"{prefix}_username", old and old.username) or "",
            "password": self._password(),
            "enabled": enabled is not False,
            "mechanisms": tuple(self._asked(self._mechanisms, old and old.mechanisms) or ()),
            "tls_protocols": tuple(self._asked("ssl_protocols", old and old.tls_protocols) or ()),
            "tls_trust": self._asked("ssl_trust", old and old.tls_trust) or "",
            "local_host_name": self._asked("local_host_name", old and old.local_host_name) or "",
            "proxy": self._proxy(old.proxy if old else None),
        }
        if asked["password"] is None and old is not None and old.password:
            if what := exposed_by(old, ServerSettings(**asked)):
                # Or whoever holds an API key could have the stored password sent to a server of his own.
                changed = _called(what, prefix)
                raise Invalid(f"{prefix}Password must be given again when {changed} changes so")
            asked["password"] = old.password
        return asked

    def _password(self) -> Secret | None:
        """The password that was given; None keeps the old one."""
        given: SecretStr | None = getattr(self, f"{self._prefix}_password")
        text = given.get_secret_value() if given else ""
        if not text or text == MASK:
            return None
        if not is_one_line(text):
            raise Invalid(f"{self._prefix}Password may not hold line breaks or other control characters")
        return Secret(text)

    def _proxy(self, old: Proxy | None) -> Proxy | None:
        given = _parse_proxy(self.proxy_host) if "proxy_host" in self.model_fields_set else old
        if given is None:
            return None
        if old and (given.host, given.kind) == (old.host, old.kind) and not given.username:
            # Our answers leave the credentials out, and may be sent back to us as they are.
            given = replace(given, username=old.username, password=old.password, port=given.port or old.port)
        enabled = self._asked("proxy_enabled", old and old.enabled)
        port = self.proxy_port or given.port or _PROXY_PORTS[given.kind]
        return replace(given, port=port, enabled=enabled is not False)


def _parse_proxy(secret: SecretStr | None) -> Proxy | None:
    """The proxy that `proxyHost` names: `host`, `http://host`, `socks5://user:password@host:port`. Port 0: none."""
    text = secret.get_secret_value().strip() if secret else ""
    if not text:
        return None
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if not host or not is_one_line(text) or url.path.strip("/") or url.query or url.fragment:
        raise Invalid("proxyHost must be a host name, or a URL such as socks5://user:password@host")
    if url.scheme not in _PROXY_SCHEMES:
        raise Invalid("proxyHost may begin with http:// or socks5://")
    return Proxy(
        host=host,
        port=port or 0,
        kind=_PROXY_SCHEMES[url.scheme],
        username=unquote(url.username or ""),
        password=Secret(unquote(url.password)) if url.password else None,
    )


class ImapConnectionChanges(_ConnectionChanges):
    """What a PATCH of an IMAP connection may say. A key that is not sent keeps its value; a password that is
    missing, null or masked keeps the old one; any other null resets."""

    _prefix = "imap"
    _mechanisms = "mechanisms"
    _ports = _IMAP_PORTS

    imap_host: Host | None = None
    imap_port: Port | None = None
    imap_ssl: bool | None = None
    imap_username: Line | None = None
    imap_password: SecretStr | None = None
    select_folder: Line | None = None
    search_terms: Line | None = None
    mechanisms: list[Line] | None = None

    def to_domain(self, old: ImapSettings | None = None) -> ImapSettings:
        """The settings that these options ask for, laid over `old`. Raises Invalid."""
        return ImapSettings(
            **self._server(old),
            folder=self._asked("select_folder", old and old.folder) or "INBOX",
            search_terms=self._asked("search_terms", old and old.search_terms) or "",
        )


class CreateConnectorImapConnectionOptions(ImapConnectionChanges):
    imap_host: Host


class SmtpConnectionChanges(_ConnectionChanges):
    """What a PATCH of an SMTP connection may say, by the same rules as for IMAP."""

    _prefix = "smtp"
    _mechanisms = "smtp_mechanisms"
    _ports = _SMTP_PORTS

    smtp_host: Host | None = None
    smtp_port: Port | None = None
    smtp_ssl: bool | None = None
    smtp_username: Line | None = None
    smtp_password: SecretStr | None = None
    smtp_mechanisms: list[Line] | None = None

    def to_domain(self, old: SmtpSettings | None = None) -> SmtpSettings:
        """The settings that these options ask for, laid over `old`. Raises Invalid."""
        return SmtpSettings(**self._server(old))


class CreateConnectorSmtpConnectionOptions(SmtpConnectionChanges):
    smtp_host: Host


class _ConnectionDto(WireModel):
    """What the answers about IMAP and SMTP connections share."""

    id: UUID
    connector_id: UUID
    enabled: bool | None
    start_tls: bool | None
    proxy_enabled: bool | None
    proxy_port: int | None
    proxy_host: str | None
    local_host_name: str | None
    ssl_trust: str | None
    ssl_protocols: list[str] | None
    created_at: Moment


def _shared(connection: ImapConnection | SmtpConnection) -> dict[str, Any]:
    settings = connection.settings
    proxy = settings.proxy
    return {
        "id": connection.id,
        "connector_id": connection.connector_id,
        "enabled": settings.enabled,
        "start_tls": settings.security is Security.STARTTLS,
        "proxy_enabled": proxy.enabled if proxy else None,
        "proxy_port": proxy.port if proxy else None,
        "proxy_host": _proxy_host(proxy) if proxy else None,
        "local_host_name": settings.local_host_name or None,
        "ssl_trust": settings.tls_trust or None,
        "ssl_protocols": list(settings.tls_protocols),
        "created_at": connection.created_at,
    }


def _proxy_host(proxy: Proxy) -> str:
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return host if proxy.kind is ProxyKind.HTTP else f"{proxy.kind}://{host}"


class ConnectorImapConnectionDto(_ConnectionDto):
    imap_host: str
    imap_port: int | None
    imap_username: str | None
    imap_password: str | None = None  # a key that the clients know; what it would hold never leaves the house
    imap_ssl: bool | None
    select_folder: str | None
    search_terms: str | None
    mechanisms: list[str] | None

    @classmethod
    def of(cls, connection: ImapConnection) -> Self:
        settings = connection.settings
        return cls(
            **_shared(connection),
            imap_host=settings.host,
            imap_port=settings.port,
            imap_username=settings.username or None,
            imap_ssl=settings.security is Security.TLS,
            select_folder=settings.folder,
            search_terms=settings.search_terms or None,
            mechanisms=list(settings.mechanisms),
        )


class OptionalConnectorImapConnectionDto(OptionalResult[ConnectorImapConnectionDto]):
    pass


class ConnectorSmtpConnectionDto(_ConnectionDto):
    smtp_host: str
    smtp_port: int | None
    smtp_username: str | None
    smtp_password: str | None = None  # see imap_password
    smtp_ssl: bool | None
    smtp_mechanisms: list[str] | None

    @classmethod
    def of(cls, connection: SmtpConnection) -> Self:
        settings = connection.settings
        return cls(
            **_shared(connection),
            smtp_host=settings.host,
            smtp_port=settings.port,
            smtp_username=settings.username or None,
            smtp_ssl=settings.security is Security.TLS,
            smtp_mechanisms=list(settings.mechanisms),
        )


class OptionalConnectorSmtpConnectionDto(OptionalResult[ConnectorSmtpConnectionDto]):
    pass


class _TestResult(WireModel):
    """How a connection test ended. `stage` is a key of ours: how far the connection came before it failed."""

    success: bool
    error: str | None
    message: str | None
    logs: list[str] | None
    stage: str | None = None

    @classmethod
    def of(cls, result: TestResult) -> Self:
        return cls(
            success=result.success,
            error=None if result.success else result.message,
            message=result.message,
            logs=list(result.logs),
            stage=result.stage,
        )


class ConnectorImapConnectionTestResult(_TestResult):
    pass


class ConnectorSmtpConnectionTestResult(_TestResult):
    pass


class MailProvider(StrEnum):
    GOOGLE = "GOOGLE"
    MICROSOFT = "MICROSOFT"


class ProviderSettings(WireModel):
    mail_provider: MailProvider
    imap_host: str
    imap_port: int
    imap_ssl: bool
    imap_start_tls: bool | None
    smtp_host: str
    smtp_port: int
    smtp_ssl: bool
    smtp_start_tls: bool | None

    @classmethod
    def of(cls, provider: Provider) -> Self:
        return cls(
            mail_provider=MailProvider(provider.name),
            imap_host=provider.imap.host,
            imap_port=provider.imap.port,
            imap_ssl=provider.imap.security is Security.TLS,
            imap_start_tls=provider.imap.security is Security.STARTTLS,
            smtp_host=provider.smtp.host,
            smtp_port=provider.smtp.port,
            smtp_ssl=provider.smtp.security is Security.TLS,
            # MailSlurp's table says so even of Gmail's port 465, where TLS is implicit.
            smtp_start_tls=provider.smtp.security is not Security.PLAIN,
        )


class ConnectorProviderSettingsDto(WireModel):
    google_settings: ProviderSettings = ProviderSettings.of(GOOGLE)
    microsoft_settings: ProviderSettings = ProviderSettings.of(MICROSOFT)

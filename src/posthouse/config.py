"""Settings: read once, from the environment and the command line, and passed on as values.

Every setting is documented where it is declared; `posthouse serve --help` and `docs/operations.md` say the same.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from posthouse.model.figures import ShownSetting

Network = IPv4Network | IPv6Network


class Settings(BaseSettings):
    """Each field is an environment variable of the same name behind `POSTHOUSE_`, in capitals."""

    model_config = SettingsConfigDict(env_prefix="POSTHOUSE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8026, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    data: Path = Field(Path("data"), description="Where the database, raw mail and key file lie, if nowhere else.")
    database_url: str = Field(
        "sqlite",
        description="`sqlite` (a file in the data directory), or `postgresql://user:password@host/name`.",
    )
    api_key: SecretStr | None = Field(
        None, description="A first API key, 16 characters or more. Without it one is made at the first start."
    )
    secret_key: SecretStr | None = Field(
        None,
        description=(
            "Seals stored passwords; 32 characters or more. Several, comma-separated, newest first, let an old one "
            "retire. Without it a key file is made in the data directory."
        ),
    )
    inbox_domain: str = Field("posthouse.localhost", description="The domain of the addresses that new inboxes get.")
    public_url: str | None = Field(
        None, description="The URL under which this server is reached from outside, where it is not the listening one."
    )
    egress_allow: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description=(
            "Comma-separated networks that mail servers and proxies may lie in although they are loopback, private "
            "or link-local: `127.0.0.0/8, 192.168.1.20/32`."
        ),
    )
    blobs: str | None = Field(
        None,
        description="Where raw mail lies: a directory, or `s3://bucket/prefix`. Without it, `blobs` in the data one.",
    )
    message_limit_mb: int = Field(
        100, ge=1, le=1024, description="Messages over this size (MiB) are filed with their header alone."
    )
    first_sync_limit: int | None = Field(
        None, ge=0, description="How many messages, newest first, the first sync of a folder takes; all without it."
    )
    event_days: int = Field(
        30, ge=1, le=36_500, description="How many days the events of connectors are kept, with their logs."
    )
    sent_copy: bool = Field(
        True,
        description=(
            "Keep a copy of what is sent in the mailbox's Sent folder, where its provider does not do so by itself."
        ),
    )
    metrics_key: SecretStr | None = Field(
        None,
        description=(
            "What Prometheus must send as bearer token to read /metrics. Without it, only this machine may read them."
        ),
    )
    sessions_per_host: int | None = Field(
        None,
        ge=1,
        description="At most so many sessions of an engine at one mail server; connectors beyond it take turns.",
    )
    longest_wait_ms: int = Field(
        299_999,
        ge=1,
        description="The longest wait for mail, delivery statuses or webhook results, in milliseconds, whatever is "
        "asked; most clients give up at 300,000.",
    )
    log_json: bool = Field(False, description="Write the log as JSON lines instead of text.")

    @field_validator("egress_allow", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(ip_network(each.strip(), strict=False) for each in value.split(",") if each.strip())

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(key.strip()) < 32 for key in value.get_secret_value().split(",")):
            raise ValueError("a secret key needs at least 32 characters: `openssl rand -hex 32` makes one")
        return value

    @property
    def sql_url(self) -> str:
        """The database as a URL."""
        return f"sqlite:///{self.data / 'posthouse.db'}" if self.database_url == "sqlite" else self.database_url

    @property
    def blob_location(self) -> str:
        return self.blobs or str(self.data / "blobs")

    def shown(self) -> tuple[ShownSetting, ...]:
        """Every setting as people may see it."""
        return tuple(
            ShownSetting(
                variable=f"POSTHOUSE_{name.upper()}",
                value=_shown(getattr(self, name)),
                default=getattr(self, name) == field.default,
                description=field.description or "",
            )
            for name, field in type(self).model_fields.items()
        )


_PASSWORD = re.compile(r"(?<=//)([^:/@]*):.*@|(?<=password=)[^&]+")


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return "set"
        case bool():
            return "on" if value else "off"
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[1] else "***", str(value))

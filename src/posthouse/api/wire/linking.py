"""What is known of a mailbox before it is linked, as the API tells it: words of our own."""

from typing import Self

from posthouse.api.wire.common import WireModel
from posthouse.model.connectors import Endpoint, Security
from posthouse.model.providers import PASSWORD, Proposal
from posthouse.model.sync import Folder


class ConnectorFolderDto(WireModel):
    """A folder at the server. One that is not `selectable` holds other folders, and no mail. `specialUse` is what it
    is for (RFC 6154): `inbox`, `sent`, `junk`, `trash`, `drafts`, `archive`, `all`, `flagged`, `important`, or null."""

    name: str
    selectable: bool
    special_use: str | None

    @classmethod
    def of(cls, folder: Folder) -> Self:
        return cls(name=folder.name, selectable=folder.selectable, special_use=folder.special_use or None)


class ProposedServerDto(WireModel):
    """Where a server is, in the words of a connection's options."""

    host: str
    port: int
    ssl: bool
    start_tls: bool
    username: str

    @classmethod
    def of(cls, endpoint: Endpoint, username: str) -> Self:
        return cls(
            host=endpoint.host,
            port=endpoint.port,
            ssl=endpoint.security is Security.TLS,
            start_tls=endpoint.security is Security.STARTTLS,
            username=username,
        )


class ProposedSettingsDto(WireModel):
    """Settings for an address. Where `provider` is null they are a guess by the usual names of servers; else `secret`
    is what the provider takes as the password, `steps` how to come by it, and `warning` what does not work there."""

    provider: str | None
    imap: ProposedServerDto
    smtp: ProposedServerDto
    secret: str
    steps: list[str]
    warning: str | None

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        preset = proposal.preset
        return cls(
            provider=preset.name if preset else None,
            imap=ProposedServerDto.of(proposal.imap, proposal.imap_username),
            smtp=ProposedServerDto.of(proposal.smtp, proposal.smtp_username),
            secret=preset.secret if preset else PASSWORD,
            steps=list(preset.steps) if preset else [],
            warning=(preset.warning if preset else "") or None,
        )

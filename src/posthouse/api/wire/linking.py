"""What is known of a mailbox before it is linked, as the API tells it: words of our own."""

from typing import Self

from posthouse.api.wire.common import WireModel
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

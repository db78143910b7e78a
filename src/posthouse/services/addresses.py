"""Plus addresses: an inbox's address with a tag, known from the first email to it on, or from when somebody asks."""

from posthouse.model.addresses import PlusAddress, plus_tag, with_tag, without_tag
from posthouse.model.errors import Conflict, Invalid, NotFound
from posthouse.model.mail import Inbox
from posthouse.model.values import AccountId, Clock, InboxId, Page, PlusAddressId, Slice, new_id
from posthouse.services.required import require_inbox
from posthouse.store.database import Database, Transaction


class PlusAddresses:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def get_or_create(
        self, account: AccountId, full_address: str, inbox_id: InboxId | None = None
    ) -> PlusAddress:
        """The plus address of an inbox, or of the one whose address this is but for the tag.

        Mail that came to it before is found under it. Raises NotFound when there is no such inbox, Invalid when this
        is no plus address of it, and Conflict when it is the address of an inbox itself.
        """
        async with self._database.transaction() as tx:
            inbox = await self._inbox(tx, account, full_address, inbox_id)
            await tx.inboxes.hold(inbox.id)  # so that it is made once
            connector = await tx.connectors.by_inbox(account, inbox.id)
            for base in (inbox.email_address, connector.email_address if connector else None):
                if base and (tag := plus_tag(full_address, base)):
                    break
            else:
                raise Invalid(f"fullAddress must be {with_tag(inbox.email_address, 'something')}, not {full_address}")
            full = with_tag(base, tag)
            found = await tx.plus_addresses.by_address(account, inbox.id, full)
            if found is not None:
                return found
            if await tx.inboxes.by_address(account, full) is not None:
                raise Conflict(f"{full} is the address of an inbox itself")
            now = self._now()
            plus = PlusAddress(
                id=PlusAddressId(new_id(now)),
                account_id=account,
                inbox_id=inbox.id,
                tag=tag,
                full_address=full,
                created_at=now,
            )
            await tx.plus_addresses.add(plus)
            await tx.plus_addresses.tie_known(plus)
        return plus

    async def _inbox(self, tx: Transaction, account: AccountId, full_address: str, inbox_id: InboxId | None) -> Inbox:
        if inbox_id is not None:
            return await require_inbox(tx, account, inbox_id)
        base = without_tag(full_address.strip())
        found = await tx.inboxes.by_address(account, base) or await tx.inboxes.by_address(account, base.lower())
        if found is None:
            raise NotFound(f"there is no inbox with the address {base}")
        return found

    async def page(self, account: AccountId, slice_: Slice, inbox: InboxId | None = None) -> Page[PlusAddress]:
        async with self._database.reading() as tx:
            if inbox is not None:
                await require_inbox(tx, account, inbox)
            return await tx.plus_addresses.page(account, slice_, inbox)

    async def get(self, account: AccountId, plus: PlusAddressId, inbox: InboxId | None = None) -> PlusAddress:
        """Raises NotFound also when it belongs to another inbox than this."""
        async with self._database.reading() as tx:
            found = await tx.plus_addresses.get(account, plus, inbox)
        if found is None:
            raise NotFound(f"there is no plus address {plus}")
        return found

    async def by_tag(self, account: AccountId, inbox: InboxId, tag: str) -> PlusAddress | None:
        """The inbox's plus address, by its tag or whole; None when no mail came to it and nobody asked for it."""
        async with self._database.reading() as tx:
            await require_inbox(tx, account, inbox)
            if "@" in tag:
                return await tx.plus_addresses.by_address(account, inbox, tag.lower())
            return await tx.plus_addresses.by_tag(account, inbox, tag.removeprefix("+").lower())

"""Mail from one inbox of this server to another: delivered at once, by the same door as all mail.

An address is an inbox of ours when it lies in our own domain, whoever's it is: anybody may write to anybody, as at any
mail server. An inbox may also have been given an address at some other domain. That is believed within its own account
alone, so that nobody gets another's mail by naming an inbox after him.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import format_datetime

from posthouse.model.mail import SentEmail
from posthouse.model.values import AccountId, InboxId
from posthouse.services.intake import Incoming, Intake, Prepared
from posthouse.store.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """Whose inbox an address is."""

    account_id: AccountId
    inbox_id: InboxId


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for one inbox, kept and read, and not filed yet."""

    place: Place
    prepared: Prepared


class Local:
    """`domain` is our own: the one that new inboxes get their addresses in."""

    def __init__(self, database: Database, intake: Intake, domain: str) -> None:
        self._database = database
        self._intake = intake
        self.domain = domain

    def is_ours(self, address: str) -> bool:
        """Whether an address lies in our own domain."""
        return address.rpartition("@")[2].lower() == self.domain.lower()

    async def find(self, account: AccountId, addresses: Collection[str]) -> dict[str, Place]:
        """Those of these addresses that are inboxes here, for mail from this account."""
        names = {address: _names(address) for address in addresses}
        async with self._database.reading() as tx:
            known = await tx.inboxes.at([name for some in names.values() for name in some])
        found = {}
        for address, some in names.items():
            places = [Place(*known[name]) for name in some if name in known]
            if places and (self.is_ours(address) or places[0].account_id == account):
                found[address] = places[0]
        return found

    async def sort(
        self, account: AccountId, addresses: Collection[str], *, connected: bool
    ) -> tuple[dict[str, Place], tuple[str, ...]]:
        """Who of them is an inbox here, and who is not, for mail from an inbox that has a connector, or none."""
        here = await self.find(account, addresses)
        if connected:
            # What is a mailbox's own server's, that server carries; our own domain is nobody's but ours.
            here = {address: place for address, place in here.items() if self.is_ours(address)}
        return here, tuple(address for address in addresses if address not in here)

    async def prepare(self, sent: SentEmail, message: bytes, places: Mapping[str, Place]) -> list[Parcel]:
        """Make the message ready to be filed in these places, in the order in which they must be filed."""
        # One inbox gets it once, by whatever addresses. The order is the same for all who lock several inboxes.
        recipients = {place: address for address, place in reversed(list(places.items()))}
        ordered = sorted(recipients, key=lambda place: place.inbox_id)
        parcels = []
        for place in ordered:
            content = self._stamped(sent, recipients[place], message)
            [prepared] = await self._intake.prepare([Incoming(content=content, size=len(content))])
            parcels.append(Parcel(place, prepared))
        return parcels

    async def file(self, tx: Transaction, parcels: Collection[Parcel]) -> None:
        """File them; who has a message already does not get it again. Raises NotFound when an inbox is gone."""
        for parcel in parcels:
            await self._intake.take_in(tx, parcel.place.account_id, parcel.place.inbox_id, [parcel.prepared])

    async def hand_in(self, account: AccountId, inbox: InboxId, message: bytes) -> None:
        """File a message of our own making in an inbox. Raises NotFound when it is gone."""
        [prepared] = await self._intake.prepare([Incoming(content=message, size=len(message))])
        async with self._database.transaction() as tx:
            await self._intake.take_in(tx, account, inbox, [prepared])

    def _stamped(self, sent: SentEmail, recipient: str, message: bytes) -> bytes:
        """The message with its trace (RFC 5321 §4.4): the same bytes whenever it is made."""
        head = (
            f"Return-Path: <{sent.sender.email}>\r\n"
            f"Delivered-To: {recipient}\r\n"
            f"Received: by {self.domain} (Posthouse) id {sent.id}\r\n"
            f"\tfor <{recipient}>; {format_datetime(sent.created_at)}\r\n"
        )
        return head.encode() + message


def _names(address: str) -> list[str]:
    """The inboxes that an address may mean: as it is, in lower case, without what stands behind a plus."""
    lower = address.lower()
    local, _, domain = lower.rpartition("@")
    return list(dict.fromkeys((address, lower, f"{local.partition('+')[0]}@{domain}")))

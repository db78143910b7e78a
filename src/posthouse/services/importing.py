"""Importing: a message from a file enters by the same door as one that was received.

A message keeps its bytes but for its Message-ID, which is made anew unless the caller says otherwise, so that the
same file can be imported again and again; with its own Message-ID the same bytes are recognised, and filed once.
"""

import asyncio
from uuid import uuid4

from posthouse.mime.identity import renamed, why_no_message
from posthouse.model.errors import Invalid, TooLarge
from posthouse.model.values import AccountId, EmailId, InboxId
from posthouse.services.intake import Incoming, Intake
from posthouse.services.required import require_inbox
from posthouse.store.database import Database


class Importing:
    """`largest` bounds one message, in bytes."""

    def __init__(self, database: Database, intake: Intake, domain: str, largest: int = 50 << 20) -> None:
        self._database = database
        self._intake = intake
        self._domain = domain
        self._largest = largest

    async def take_in(
        self,
        account: AccountId,
        inbox: InboxId,
        raw: bytes,
        *,
        external_id: str | None = None,
        rename: bool = True,
    ) -> EmailId:
        """File a message (RFC 5322) in the inbox, whoever it is addressed to. `rename` gives it a new Message-ID.

        Raises Invalid when these bytes are no message, TooLarge, or NotFound when there is no such inbox.
        """
        async with self._database.reading() as tx:
            await require_inbox(tx, account, inbox)
        if len(raw) > self._largest:
            raise TooLarge(f"an imported message may have at most {self._largest} bytes, this one has {len(raw)}")
        problem = why_no_message(raw)
        if problem:
            raise Invalid(f"this is no email message: {problem}")
        if rename:
            raw = await asyncio.to_thread(renamed, raw, f"{uuid4()}@{self._domain}")
        [prepared] = await self._intake.prepare([Incoming(content=raw, size=len(raw), external_id=external_id)])
        async with self._database.transaction() as tx:
            taken = await self._intake.take_in(tx, account, inbox, [prepared])
            email = taken.new[0] if taken.new else await tx.mail.known(inbox, prepared.digest)
        assert email is not None, "what was taken in is new, or was there"
        return email

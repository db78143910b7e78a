"""Accounts and their keys: made, checked, revoked. A key is shown once, by whoever made it; we keep its digest."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posthouse.model.accounts import Account, ApiKey, key_digest, new_key
from posthouse.model.errors import Invalid, NotFound, Unauthorized, Unavailable
from posthouse.model.values import AccountId, Clock, Secret, new_id
from posthouse.store.accounts import LAST_USE_PRECISION
from posthouse.store.database import Database, Transaction

DEFAULT = "default"
SHORTEST_KEY = 16
LONGEST_NAME = 100
MOST_KEYS = 1000
"""Of one account, after which only the command line makes more."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. This is the only moment at which `secret` is known."""

    key: ApiKey
    account: Account
    secret: Secret


class Accounts:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        self._used: dict[UUID, datetime] = {}

    async def authenticate(self, secret: str) -> Account:
        """The account that a key stands for. Raises Unauthorized."""
        async with self._database.reading() as tx:
            key = await tx.accounts.key_by_digest(key_digest(secret))
            account = await tx.accounts.by_id(key.account_id) if key else None
        if key is None or account is None:
            raise Unauthorized("this API key is not known: make one with `posthouse key create`")
        now = self._now()
        used = max(filter(None, (key.last_used_at, self._used.get(key.id))), default=None)
        if used is None or now - used > LAST_USE_PRECISION:
            self._used[key.id] = now  # other requests of this moment need not do it, too
            async with self._database.transaction(durable=False) as tx:
                await tx.accounts.mark_used(key, now)
        return account

    async def ready(self) -> bool:
        """Whether the database answers: what a health check wants to know."""
        try:
            async with self._database.reading() as tx:
                await tx.accounts.by_name(DEFAULT)
        except Unavailable:
            return False
        return True

    async def get(self, account: AccountId) -> Account:
        async with self._database.reading() as tx:
            found = await tx.accounts.by_id(account)
        if found is None:
            raise NotFound("there is no such account")
        return found

    async def named(self, name: str = DEFAULT) -> Account:
        """The account of this name. Raises NotFound."""
        async with self._database.reading() as tx:
            found = await tx.accounts.by_name(name)
        if found is None:
            raise NotFound(f"there is no account {name!r}: `posthouse key create --account` makes one")
        return found

    async def create_key(self, name: str = "", *, account: str = DEFAULT, secret: Secret | None = None) -> NewKey:
        """A key for the account of this name, which is made if there is none; a given secret instead of a new one."""
        if secret is not None and len(secret.reveal()) < SHORTEST_KEY:
            raise Invalid(f"an API key has at least {SHORTEST_KEY} characters")
        async with self._database.transaction() as tx:
            return await self._add_key(tx, await self._account(tx, account), name, secret or Secret(new_key()))

    async def another_key(self, account: AccountId, name: str = "") -> NewKey:
        """One more key for an account. Raises Invalid when its name is too long, or the account has too many."""
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise Invalid(f"a key's name is one line of at most {LONGEST_NAME} characters")
        async with self._database.transaction() as tx:
            owner = await tx.accounts.by_id(account)
            if owner is None:
                raise NotFound("there is no such account")
            if len(await tx.accounts.keys(account)) >= MOST_KEYS:
                raise Invalid(f"an account may have {MOST_KEYS} keys: revoke some")
            return await self._add_key(tx, owner, name, Secret(new_key()))

    async def first_key(self, given: Secret | None) -> NewKey | None:
        """The key that a fresh installation starts with: the given one, or a new one. None when it is there already."""
        async with self._database.reading() as tx:
            if given is not None:
                there = await tx.accounts.key_by_digest(key_digest(given.reveal())) is not None
            else:
                there = bool(await tx.accounts.keys())
        return None if there else await self.create_key("first", secret=given)

    async def keys(self) -> list[tuple[ApiKey, str]]:
        """Every key, with its account's name."""
        async with self._database.reading() as tx:
            return await tx.accounts.keys()

    async def keys_of(self, account: AccountId) -> list[ApiKey]:
        """An account's keys, oldest first."""
        async with self._database.reading() as tx:
            return [key for key, _ in await tx.accounts.keys(account)]

    async def revoke(self, key: UUID, account: AccountId | None = None) -> None:
        """From now on this key opens nothing. Raises NotFound, too when it is not of the account that is named."""
        async with self._database.transaction() as tx:
            if not await tx.accounts.remove_key(key, account):
                raise NotFound(f"there is no key {key}: `posthouse key list` shows them")

    async def _add_key(self, tx: Transaction, owner: Account, name: str, secret: Secret) -> NewKey:
        key = self._key(owner, name or "unnamed", secret)
        await tx.accounts.add_key(key, key_digest(secret.reveal()))
        return NewKey(key, owner, secret)

    async def _account(self, tx: Transaction, name: str) -> Account:
        account = await tx.accounts.by_name(name)
        if account is None:
            account = Account(id=AccountId(new_id(self._now())), name=name, created_at=self._now())
            await tx.accounts.add(account)
        return account

    def _key(self, account: Account, name: str, secret: Secret) -> ApiKey:
        now = self._now()
        return ApiKey(id=new_id(now), account_id=account.id, name=name, hint=secret.reveal()[:7], created_at=now)

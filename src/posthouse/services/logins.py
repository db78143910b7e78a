"""Signing in to the dashboard: by an API key or by a link that works once; and out again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posthouse.model.accounts import LIFETIMES, Account, Login, LoginKind, key_digest, new_login_secret
from posthouse.model.errors import Unauthorized
from posthouse.model.values import AccountId, Clock, Secret
from posthouse.store.database import Database


@dataclass(frozen=True, slots=True)
class NewLogin:
    """What signs somebody in, until it expires. Only now is `secret` known."""

    secret: Secret
    expires_at: datetime


class Logins:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def sign_in(self, key: str) -> NewLogin:
        """A session for whoever has this API key; it ends with the key. Raises Unauthorized."""
        async with self._database.reading() as tx:
            found = await tx.accounts.key_by_digest(key_digest(key))
        if found is None:
            raise Unauthorized("this API key is not known: `posthouse key create` makes one")
        return await self._begin(LoginKind.SESSION, found.account_id, found.id)

    async def link(self, account: AccountId) -> NewLogin:
        """What a link needs to sign somebody in to this account, once."""
        return await self._begin(LoginKind.LINK, account, None)

    async def sign_in_by_link(self, secret: str) -> NewLogin:
        """A session for whoever has the secret of a link, which is used up by this. Raises Unauthorized."""
        digest = key_digest(secret)
        async with self._database.transaction() as tx:
            link = await tx.logins.find(LoginKind.LINK, digest, self._now())
            if link is None or not await tx.logins.remove(digest):
                raise Unauthorized(
                    "this sign-in link has expired or was used already: sign in with an API key, or have "
                    "`posthouse key link` make another"
                )
        return await self._begin(LoginKind.SESSION, link.account_id, link.api_key_id)

    async def visitor(self, secret: str) -> tuple[Account, Login]:
        """Who shows this secret of a session. Raises Unauthorized when it has ended."""
        async with self._database.reading() as tx:
            login = await tx.logins.find(LoginKind.SESSION, key_digest(secret), self._now())
            account = await tx.accounts.by_id(login.account_id) if login else None
        if login is None or account is None:
            raise Unauthorized("you are not signed in, or not any more")
        return account, login

    async def sign_out(self, secret: str) -> None:
        """End a session, if there is one."""
        async with self._database.transaction() as tx:
            await tx.logins.remove(key_digest(secret))

    async def forget_expired(self) -> int:
        """How many there were."""
        async with self._database.transaction() as tx:
            return await tx.logins.remove_expired(self._now())

    async def _begin(self, kind: LoginKind, account: AccountId, key: UUID | None) -> NewLogin:
        secret, now = new_login_secret(), self._now()
        login = Login(kind=kind, account_id=account, api_key_id=key, created_at=now, expires_at=now + LIFETIMES[kind])
        async with self._database.transaction() as tx:
            await tx.logins.add(login, key_digest(secret))
        return NewLogin(Secret(secret), login.expires_at)

"""The user that MailSlurp's clients know: our account."""

from enum import StrEnum
from typing import Self
from uuid import UUID

from posthouse.api.wire.common import Moment, WireModel
from posthouse.model.accounts import Account


class AccountState(StrEnum):
    FROZEN = "FROZEN"
    ACTIVE = "ACTIVE"


class AccountType(StrEnum):
    SOLO = "SOLO"
    CHILD_SOLO = "CHILD_SOLO"
    CHILD_TEAM = "CHILD_TEAM"
    CHILD_ADMIN = "CHILD_ADMIN"


class UserInfoDto(WireModel):
    """Who the caller is. Accounts of ours have a name and no address, so the name stands in for it."""

    id: UUID
    email_address: str
    account_state: AccountState = AccountState.ACTIVE
    subscription_type: None = None
    account_type: AccountType = AccountType.SOLO
    created_at: Moment

    @classmethod
    def of(cls, account: Account) -> Self:
        return cls(id=account.id, email_address=account.name, created_at=account.created_at)

"""What is asked of a connector's mailbox in a day: written down, and looked up before we ask for more."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from posthouse.model.budgets import Usage, budget_of
from posthouse.model.errors import Deferred, Stage
from posthouse.model.values import Clock, ConnectorId
from posthouse.store.database import Database, Transaction


async def require_login(tx: Transaction, connector: ConnectorId, host: str, now: Clock) -> None:
    """Raises Deferred when the mailbox has been signed in to as often as it may be today."""
    moment, most = now(), budget_of(host).daily_logins
    if (await tx.standings.usage(connector, moment.date())).logins >= most:
        raise Deferred(
            f"this connector has signed in to {host} {most} times today, and that is all it may: the next try is after "
            "midnight (UTC). With sync settings it keeps its session, and signs in much less often",
            stage=Stage.SIGN_IN,
            retry_after=until_midnight(moment),
        )


async def count_usage(tx: Transaction, uses: Mapping[ConnectorId, Usage], now: Clock) -> None:
    """Write down what was asked of mailboxes, as far as their connectors are still there; nobody deletes those until
    this transaction ends."""
    uses = {connector: used for connector, used in uses.items() if used}
    if uses:
        there = await tx.standings.held(uses)
        await tx.standings.count_usage({one: used for one, used in uses.items() if one in there}, now().date())


async def forget_usage(database: Database, now: Clock) -> int:
    """Let what was asked on earlier days go; how much that was."""
    async with database.transaction() as tx:
        return await tx.standings.forget_usage(now().date())


def until_midnight(now: datetime) -> timedelta:
    """How long until the next day begins (UTC), in which what is counted by the day begins anew."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC) - now

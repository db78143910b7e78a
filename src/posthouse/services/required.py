"""What a verb needs to be there: an account's inbox, connector, webhook or sent email, or NotFound in the same words
everywhere.

What belongs to another account is not there.
"""

from posthouse.model.connectors import Connector
from posthouse.model.errors import NotFound
from posthouse.model.mail import Inbox, SentEmail
from posthouse.model.values import AccountId, ConnectorId, InboxId, SentId
from posthouse.model.webhooks import Webhook, WebhookId
from posthouse.store.database import Transaction


async def require_inbox(tx: Transaction, account: AccountId, inbox: InboxId) -> Inbox:
    """Raises NotFound."""
    found = await tx.inboxes.get(account, inbox)
    if found is None:
        raise NotFound(f"there is no inbox {inbox}")
    return found


async def require_connector(tx: Transaction, account: AccountId, connector: ConnectorId) -> Connector:
    """Raises NotFound."""
    found = await tx.connectors.get(account, connector)
    if found is None:
        raise NotFound(f"there is no connector {connector}")
    return found


async def require_webhook(tx: Transaction, account: AccountId, webhook: WebhookId) -> Webhook:
    """Raises NotFound."""
    found = await tx.webhooks.get(account, webhook)
    if found is None:
        raise NotFound(f"there is no webhook {webhook}")
    return found


async def require_sent(tx: Transaction, account: AccountId, sent: SentId) -> SentEmail:
    """Raises NotFound."""
    found = await tx.sent.get(account, sent)
    if found is None:
        raise NotFound(f"there is no sent email {sent}")
    return found

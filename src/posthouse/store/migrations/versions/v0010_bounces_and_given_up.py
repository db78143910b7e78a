"""What people look up is found without a search: the bounces of a sent email, and what webhooks were not told."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"

GIVEN_UP = sa.text("state = 'exhausted'")


def upgrade() -> None:
    op.create_index("ix_bounces_sent_id", "bounces", ["sent_id"])
    op.create_index(
        "ix_webhook_messages_given_up",
        "webhook_messages",
        ["webhook_id", "number"],
        sqlite_where=GIVEN_UP,
        postgresql_where=GIVEN_UP,
    )

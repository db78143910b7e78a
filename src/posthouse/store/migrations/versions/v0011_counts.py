"""What lists of thousands of connectors and inboxes are read from: counts from one index, and a connection's host
and whether it is enabled from columns of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("ix_emails_inbox_id_created_at_read", "emails", ["inbox_id", "created_at", "read"], unique=False)
    op.add_column("connections", sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("connections", sa.Column("host", sa.Text(), nullable=False, server_default=""))
    settings = sa.column("settings", sa.JSON())
    connections = sa.table("connections", sa.column("enabled", sa.Boolean()), sa.column("host", sa.Text()), settings)
    op.execute(
        sa.update(connections).values(enabled=settings["enabled"].as_boolean(), host=settings["host"].as_string())
    )

"""An index of what is unread: counted for every inbox of a list, and listed by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index(
        "ix_emails_unread",
        "emails",
        ["account_id", "inbox_id", "read", "number"],
        sqlite_where=sa.text("read = 0"),
        postgresql_where=sa.text("NOT read"),
    )

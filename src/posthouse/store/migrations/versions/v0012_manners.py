"""What is asked of a mailbox in a day, counted: sign-ins and commands beside the bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("usage", sa.Column("logins", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("usage", sa.Column("commands", sa.Integer(), nullable=False, server_default="0"))

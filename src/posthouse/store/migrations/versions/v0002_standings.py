"""How connectors stand, and which process looks after which."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "standings",
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("lease_holder", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fresh_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("problem_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        sa.Column("last_words", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("last_uid", sa.BigInteger(), nullable=True),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["connectors.id"], name="fk_standings_connector_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["workers.id"], name="fk_standings_owner_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("connector_id", name="pk_standings"),
    )
    op.create_index("ix_standings_owner_id", "standings", ["owner_id"], unique=False)
    op.create_table(
        "moments",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["connectors.id"], name="fk_moments_connector_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_moments"),
    )
    op.create_index("ix_moments_connector_id_number", "moments", ["connector_id", "number"], unique=False)
    op.create_table(
        "usage",
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["connector_id"], ["connectors.id"], name="fk_usage_connector_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("connector_id", "day", name="pk_usage"),
    )
    watched = sa.Column("watch_folders", sa.JSON(), nullable=False, server_default="[]")
    op.add_column("schedules", watched)
    # Every connector stands somehow; those that are there already begin unwatched.
    op.execute(
        "INSERT INTO standings (connector_id, mode, lasting, failures, refusals) "
        "SELECT id, 'manual', FALSE, 0, 0 FROM connectors"
    )

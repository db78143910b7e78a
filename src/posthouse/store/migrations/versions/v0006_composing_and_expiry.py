"""Drafts, templates and contacts; plus addresses; inboxes that expire; one letter for both forms of the Greek sigma."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.add_column("inboxes", sa.Column("kind", sa.Text(), nullable=False, server_default="http"))
    op.create_index("ix_inboxes_expires_at", "inboxes", ["expires_at"], unique=False)
    _things(
        "expired_inboxes",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("email_address", sa.Text(), nullable=False),
        sa.UniqueConstraint("inbox_id", name="uq_expired_inboxes_inbox_id"),
    )
    _things(
        "plus_addresses",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("full_address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_plus_addresses_inbox_id", ondelete="CASCADE"),
        sa.UniqueConstraint("inbox_id", "full_address", name="uq_plus_addresses_inbox_id_full_address"),
    )
    op.create_table(
        "plus_address_emails",
        sa.Column("plus_address", NUMBER, nullable=False),
        sa.Column("email", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["plus_address"], ["plus_addresses.number"], name="fk_plus_address_emails_plus_address", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["email"], ["emails.number"], name="fk_plus_address_emails_email", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plus_address", "email", name="pk_plus_address_emails"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_plus_address_emails_email", "plus_address_emails", ["email"], unique=False)
    _things(
        "drafts",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_drafts_inbox_id", ondelete="CASCADE"),
    )
    op.create_index("ix_drafts_inbox_id_number", "drafts", ["inbox_id", "number"], unique=False)
    _things(
        "templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    _things(
        "contacts",
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("email_addresses", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=True),
        sa.Column("opted_out", sa.Boolean(), nullable=False),
    )
    _things(
        "contact_groups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["contact_groups.id"], name="fk_group_members_group_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name="fk_group_members_contact_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "contact_id", name="pk_group_members"),
    )
    op.create_index("ix_group_members_contact_id", "group_members", ["contact_id"], unique=False)
    _fold_the_final_sigma()


def _things(table: str, *columns: sa.schema.SchemaItem) -> None:
    """A table of things that an account makes and lists."""
    op.create_table(
        table,
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=f"fk_{table}_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=f"pk_{table}"),
        sa.UniqueConstraint("id", name=f"uq_{table}_id"),
    )
    op.create_index(f"ix_{table}_account_id_number", table, ["account_id", "number"], unique=False)


def _fold_the_final_sigma() -> None:
    """Searches ask for ς no more: what was filed with it is to be found by σ, as SQLite's tokenizer does by itself."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            UPDATE email_search SET words = array_to_tsvector(ARRAY(
                SELECT DISTINCT replace(word, 'ς', 'σ') FROM unnest(tsvector_to_array(words)) AS word
            )) WHERE words::text LIKE '%ς%'""")

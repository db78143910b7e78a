"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "packs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_packs"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_table(
        "inboxes",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("email_address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("favourite", sa.Boolean(), nullable=False),
        sa.Column("virtual", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_inboxes_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_inboxes"),
        sa.UniqueConstraint("email_address", name="uq_inboxes_email_address"),
        sa.UniqueConstraint("id", name="uq_inboxes_id"),
    )
    op.create_index("ix_inboxes_account_id_number", "inboxes", ["account_id", "number"], unique=False)
    op.create_table(
        "connectors",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email_address", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_connectors_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_connectors_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_connectors"),
        sa.UniqueConstraint("id", name="uq_connectors_id"),
        sa.UniqueConstraint("inbox_id", name="uq_connectors_inbox_id"),
    )
    op.create_index("ix_connectors_account_id_number", "connectors", ["account_id", "number"], unique=False)
    op.create_table(
        "emails",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read", sa.Boolean(), nullable=False),
        sa.Column("favourite", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("to", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("cc", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("bcc", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reply_to", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("in_reply_to", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.Column("is_html", sa.Boolean(), nullable=False),
        sa.Column("charset", sa.Text(), nullable=False),
        sa.Column("content_types", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("attachment_ids", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("pack_offset", sa.BigInteger(), nullable=False),
        sa.Column("pack_length", sa.BigInteger(), nullable=False),
        sa.Column("pack_size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_emails_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_emails_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_emails"),
        sa.UniqueConstraint("id", name="uq_emails_id"),
    )
    op.create_index("ix_emails_account_id_number", "emails", ["account_id", "number"], unique=False)
    op.create_index("ix_emails_inbox_id_digest", "emails", ["inbox_id", "digest"], unique=False)
    op.create_index("ix_emails_inbox_id_number", "emails", ["inbox_id", "number"], unique=False)
    op.create_index("ix_emails_pack", "emails", ["pack"], unique=False)
    op.create_table(
        "journal",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("happening", sa.Text(), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_journal_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("inbox_id", "position", name="pk_journal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sent_emails",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sender", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("to", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("cc", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("bcc", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reply_to", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("refused", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("is_html", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.Column("attachment_ids", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("virtual", sa.Boolean(), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("pack_offset", sa.BigInteger(), nullable=False),
        sa.Column("pack_length", sa.BigInteger(), nullable=False),
        sa.Column("pack_size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sent_emails_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_sent_emails_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_sent_emails"),
        sa.UniqueConstraint("id", name="uq_sent_emails_id"),
    )
    op.create_index("ix_sent_emails_account_id_number", "sent_emails", ["account_id", "number"], unique=False)
    op.create_index("ix_sent_emails_inbox_id_number", "sent_emails", ["inbox_id", "number"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=True),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("content_id", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.Column("transfer", sa.Text(), nullable=True),
        sa.Column("pack", sa.Text(), nullable=True),
        sa.Column("pack_offset", sa.BigInteger(), nullable=True),
        sa.Column("pack_length", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_attachments_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["email_id"], ["emails.id"], name="fk_attachments_email_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_attachments_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_attachments"),
        sa.UniqueConstraint("id", name="uq_attachments_id"),
    )
    op.create_index("ix_attachments_account_id_number", "attachments", ["account_id", "number"], unique=False)
    op.create_index("ix_attachments_email_id", "attachments", ["email_id"], unique=False)
    op.create_index("ix_attachments_inbox_id", "attachments", ["inbox_id"], unique=False)
    op.create_table(
        "connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("password", sa.LargeBinary(), nullable=True),
        sa.Column("proxy_password", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["connectors.id"], name="fk_connections_connector_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
        sa.UniqueConstraint("connector_id", "protocol", name="uq_connections_connector_id_protocol"),
    )
    op.create_table(
        "events",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("logs", sa.Text(), nullable=True),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_events_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["connector_id"], ["connectors.id"], name="fk_events_connector_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_events"),
        sa.UniqueConstraint("id", name="uq_events_id"),
    )
    op.create_index("ix_events_account_id_number", "events", ["account_id", "number"], unique=False)
    op.create_index("ix_events_connector_id_number", "events", ["connector_id", "number"], unique=False)
    op.create_table(
        "folders",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("next_uid", sa.BigInteger(), nullable=False),
        sa.Column("highest_modseq", sa.BigInteger(), nullable=True),
        sa.Column("search_terms", sa.Text(), nullable=False),
        sa.Column("era", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["connectors.id"], name="fk_folders_connector_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_folders"),
        sa.UniqueConstraint("connector_id", "name", name="uq_folders_connector_id_name"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("interval_seconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["connectors.id"], name="fk_schedules_connector_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        sa.UniqueConstraint("connector_id", name="uq_schedules_connector_id"),
    )
    op.create_table(
        "occurrences",
        sa.Column("folder", NUMBER, nullable=False),
        sa.Column("era", sa.Integer(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("email", NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["email"], ["emails.number"], name="fk_occurrences_email", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["folder"], ["folders.number"], name="fk_occurrences_folder", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("folder", "era", "uid", name="pk_occurrences"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_occurrences_deleted",
        "occurrences",
        ["folder", "digest"],
        sqlite_where=sa.text("email IS NULL"),
        postgresql_where=sa.text("email IS NULL"),
    )
    op.create_index("ix_occurrences_email", "occurrences", ["email"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            CREATE TABLE email_search (
                number BIGINT PRIMARY KEY REFERENCES emails (number) ON DELETE CASCADE,
                words TSVECTOR NOT NULL
            )""")
        op.execute("CREATE INDEX ix_email_search_words ON email_search USING gin (words)")
    else:
        op.execute("""
            CREATE VIRTUAL TABLE email_search
            USING fts5(words, detail = none, tokenize = 'unicode61 remove_diacritics 0')""")

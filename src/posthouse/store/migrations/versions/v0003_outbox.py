"""The outbox, and what became of what was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0006"

NUMBER = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sending_keys",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("sent_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sending_keys_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "key", "part", name="pk_sending_keys"),
    )
    op.create_index("ix_sending_keys_created_at", "sending_keys", ["created_at"], unique=False)
    op.create_table(
        "bounces",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("sent_id", sa.Uuid(), nullable=True),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sent_to", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_bounces_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_bounces_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_bounces"),
        sa.UniqueConstraint("id", name="uq_bounces_id"),
    )
    op.create_index("ix_bounces_account_id_number", "bounces", ["account_id", "number"], unique=False)
    op.create_table(
        "delivery_statuses",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("sent_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reporting_mta", sa.Text(), nullable=True),
        sa.Column("remote_mta", sa.Text(), nullable=True),
        sa.Column("smtp_code", sa.Integer(), nullable=True),
        sa.Column("smtp_text", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_delivery_statuses_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_delivery_statuses_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_delivery_statuses"),
        sa.UniqueConstraint("id", name="uq_delivery_statuses_id"),
    )
    op.create_index(
        "ix_delivery_statuses_account_id_number", "delivery_statuses", ["account_id", "number"], unique=False
    )
    op.create_index("ix_delivery_statuses_inbox_id_number", "delivery_statuses", ["inbox_id", "number"], unique=False)
    op.create_index("ix_delivery_statuses_sent_id", "delivery_statuses", ["sent_id"], unique=False)
    op.create_table(
        "bounced_recipients",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("bounce_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_bounced_recipients_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["bounce_id"], ["bounces.id"], name="fk_bounced_recipients_bounce_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["inbox_id"], ["inboxes.id"], name="fk_bounced_recipients_inbox_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_bounced_recipients"),
        sa.UniqueConstraint("id", name="uq_bounced_recipients_id"),
    )
    op.create_index(
        "ix_bounced_recipients_account_id_recipient", "bounced_recipients", ["account_id", "recipient"], unique=False
    )
    op.create_index("ix_bounced_recipients_bounce_id", "bounced_recipients", ["bounce_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("sent_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting", sa.JSON(), nullable=False),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["sent_id"], ["sent_emails.id"], name="fk_outbox_sent_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sent_id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"], unique=False)
    op.create_table(
        "scheduled_jobs",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("sent_id", sa.Uuid(), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_scheduled_jobs_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["inbox_id"], ["inboxes.id"], name="fk_scheduled_jobs_inbox_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sent_id"], ["sent_emails.id"], name="fk_scheduled_jobs_sent_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_scheduled_jobs"),
        sa.UniqueConstraint("id", name="uq_scheduled_jobs_id"),
    )
    op.create_index("ix_scheduled_jobs_account_id_number", "scheduled_jobs", ["account_id", "number"], unique=False)
    op.create_index("ix_scheduled_jobs_inbox_id_number", "scheduled_jobs", ["inbox_id", "number"], unique=False)
    op.create_index("ix_scheduled_jobs_sent_id", "scheduled_jobs", ["sent_id"], unique=False)
    op.add_column("sent_emails", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sent_emails", sa.Column("queued", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("sent_emails", sa.Column("return_path", sa.Text(), nullable=True))
    op.add_column("sent_emails", sa.Column("also_known_as", sa.Text(), nullable=True))
    op.create_index("ix_sent_emails_also_known_as", "sent_emails", ["also_known_as"], unique=False)
    op.create_index("ix_sent_emails_message_id", "sent_emails", ["message_id"], unique=False)
    # Until now a send was made within its request, and nobody takes up again what was interrupted then.
    op.execute(
        "UPDATE sent_emails SET state = 'unknown', state_text = 'the server stopped while this was being sent: it may "
        "have been sent, and is not sent again' WHERE state = 'connecting'"
    )

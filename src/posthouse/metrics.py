"""What is counted and measured, for operators: Prometheus' numbers, made where things happen."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

registry = CollectorRegistry()

syncs = Counter("posthouse_syncs", "Syncs that have ended, by how.", ["status"], registry=registry)
sync_seconds = Histogram(
    "posthouse_sync_seconds",
    "How long syncs took.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
    registry=registry,
)
messages = Counter("posthouse_messages_filed", "Messages that have become emails.", registry=registry)
message_bytes = Counter("posthouse_message_bytes_filed", "Bytes of the messages that were filed.", registry=registry)
sends = Counter("posthouse_sends", "Sends that have ended, by how.", ["state"], registry=registry)
sessions = Gauge("posthouse_sessions", "Sessions at mailboxes that are kept open.", registry=registry)
mailbox_logins = Counter(
    "posthouse_mailbox_logins", "Sign-ins to mailboxes that were tried.", ["provider"], registry=registry
)
mailbox_commands = Counter(
    "posthouse_mailbox_commands", "IMAP commands that were said to mailboxes.", ["provider"], registry=registry
)
waits = Counter("posthouse_waits", "Waits for mail that have ended, by how.", ["outcome"], registry=registry)
wait_seconds = Histogram(
    "posthouse_wait_seconds",
    "How long waits for mail took that were satisfied.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300),
    registry=registry,
)
webhook_attempts = Counter(
    "posthouse_webhook_attempts",
    "Attempts to tell a webhook something, by how they ended.",
    ["result"],
    registry=registry,
)
connectors = Gauge("posthouse_connectors", "Connectors by how they stand.", ["state"], registry=registry)


def exposition() -> bytes:
    """All numbers, in Prometheus' text format."""
    return generate_latest(registry)

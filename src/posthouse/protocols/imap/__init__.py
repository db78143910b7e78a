"""A bounded IMAP client without I/O: bytes ↔ values, conversations as exchanges (`session.Session`)."""

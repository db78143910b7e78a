"""Whether bytes are a message at all, and how one gets another Message-ID without any other change."""

import re

# RFC 5322 §3.6.4, in the bytes of a header block: the field and its folded lines.
_MESSAGE_ID = re.compile(rb"^(message-id)[ \t]*:[^\n]*\n(?:[ \t]+[^\n]*\n)*", re.IGNORECASE | re.MULTILINE)
_END_OF_HEADER = re.compile(rb"^\r?\n", re.MULTILINE)
_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_FIRST_LINES = 4096  # bytes: a field must begin in them

_OTHERS = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is an Outlook .msg file; save it as .eml"),
    (b"PK\x03\x04", "it is a ZIP archive; import the messages in it one by one"),
    (b"%PDF", "it is a PDF"),
)


def why_no_message(raw: bytes) -> str:
    """Why these bytes can't be a message, in words for whoever sent them; '' when they may be one."""
    if not raw.strip():
        return "it is empty"
    for beginning, what in _OTHERS:
        if raw.startswith(beginning):
            return what
    lines = raw[:_FIRST_LINES].lstrip(b"\r\n").splitlines()
    if lines[0].startswith(b"From "):
        if re.search(rb"^\r?\nFrom [^\n]*\n[!-9;-~]+:", raw, re.MULTILINE):
            return "it is a mailbox (mbox) of several messages; import them one by one"
        lines = lines[1:]
    if not any(_FIELD.match(line) for line in lines):
        return "no header field such as `Subject: …` begins in its first lines"
    return ""


def renamed(raw: bytes, message_id: str) -> bytes:
    """The message with this Message-ID (without brackets), whichever it had; every other byte is what it was."""
    end = _END_OF_HEADER.search(raw)
    head, rest = (raw[: end.start()], raw[end.start() :]) if end else (raw, b"")
    line_end = b"\r\n" if b"\r\n" in head[:_FIRST_LINES] or not head else b"\n"
    field = b"Message-ID: <" + message_id.encode("ascii") + b">" + line_end
    # At the top it is in the header for every reader, wherever they take a broken one to end.
    start = head.find(b"\n") + 1 if head.startswith(b"From ") else 0
    return head[:start] + field + _MESSAGE_ID.sub(b"", head[start:]) + rest

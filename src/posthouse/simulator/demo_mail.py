"""Mail for a mailbox to play with: one of each kind that an inbox meets, all invented.

The messages are as real ones are, legacy charsets and machine reports included; nothing in them leads anywhere,
for all names end in `.example`.
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import count


def demo_messages(to: str, now: datetime) -> list[bytes]:
    """Eight messages for this address, oldest first, dated within the two days before `now` (which is aware)."""
    return [
        _welcome(to, now - timedelta(hours=46)),
        _invoice(to, now - timedelta(hours=29)),
        _from_munich(to, now - timedelta(hours=25)),
        _from_kyoto(to, now - timedelta(hours=20)),
        _newsletter(to, now - timedelta(hours=9)),
        _invitation(to, now - timedelta(hours=4)),
        _bounce(to, now - timedelta(minutes=50)),
        _code(to, now - timedelta(minutes=2)),
    ]


def endless_mail(to: str, now: Callable[[], datetime]) -> Iterator[bytes]:
    """The demo messages, and small numbered ones after them, each dated when it is asked for; no two are the same."""
    yield from demo_messages(to, now())
    for number in count(9):
        message = _message(to, now(), "Lantern Books <hello@lantern.example>", f"Note {number}", f"note-{number}")
        message.set_content(f"This is note number {number}. There is no end to them.\n")
        yield bytes(message)


def _welcome(to: str, date: datetime) -> bytes:
    message = _message(to, date, "Lantern Books <hello@lantern.example>", "Welcome to Lantern Books", "welcome-1")
    message.set_content(
        "Hello!\n\nYour shelf is ready. Put your first book on it:\nhttps://lantern.example/shelf\n\n"
        "Good reading,\nMira at Lantern Books\n"
    )
    message.add_alternative(
        '<html><body style="font-family: sans-serif"><img src="cid:lantern@lantern.example" alt="Lantern Books" '
        'width="96" height="32"><h1>Hello!</h1><p>Your shelf is ready. <a href="https://lantern.example/shelf">'
        "Put your first book on it</a>.</p><p>Good reading,<br>Mira at Lantern Books</p></body></html>\n",
        subtype="html",
    )
    html = message.get_payload()[1]  # type: ignore[index]
    assert isinstance(html, EmailMessage)
    html.add_related(
        _picture(96, 32),
        maintype="image",
        subtype="png",
        cid="<lantern@lantern.example>",
        filename="lantern.png",
        disposition="inline",
    )
    return bytes(message)


def _code(to: str, date: datetime) -> bytes:
    message = _message(to, date, "Harbour Bank <security@harbour.example>", "Your sign-in code: 402917", "code-8")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        "Your code is 402917.\n\nIt is good for ten minutes and for one sign-in. If you did not ask for it, "
        "somebody\nknows your password: change it at https://harbour.example/password.\n"
    )
    return bytes(message)


def _invoice(to: str, date: datetime) -> bytes:
    message = _message(to, date, '"Accounts, Tide & Co." <accounts@tide.example>', "Invoice 2041", "invoice-2")
    message.set_content(
        "Dear customer,\n\nplease find invoice 2041 for 118.40 EUR attached. It is due within 14 days.\n\nTide & Co.\n"
    )
    message.add_attachment(
        _pdf(("Tide & Co.", "Invoice 2041", "Two lamps, one rope: 118.40 EUR")),
        maintype="application",
        subtype="pdf",
        filename="invoice-2041.pdf",
    )
    return bytes(message)


def _from_munich(to: str, date: datetime) -> bytes:
    # As mail programs wrote it for decades: Latin-1, quoted-printable, encoded words.
    body = (
        "Gr=FC=DFe aus M=FCnchen! Das Gep=E4ck ist da, die Schl=FCssel liegen beim\r\n"
        "Nachbarn =FCber uns. Kommt ihr am Samstag zum K=E4sekuchen?\r\n\r\nJ=F6rg\r\n"
    )
    return _raw(
        ("Date", format_datetime(date)),
        ("From", "=?iso-8859-1?Q?J=F6rg_M=FCller?= <joerg.mueller@isar.example>"),
        ("To", to),
        ("Subject", "=?iso-8859-1?Q?Sch=F6ne_Gr=FC=DFe_und_ein_K=E4sekuchen?="),
        ("Message-ID", "<munich-3@isar.example>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=iso-8859-1"),
        ("Content-Transfer-Encoding", "quoted-printable"),
        body=body.encode("ascii"),
    )


def _from_kyoto(to: str, date: datetime) -> bytes:
    # ISO-2022-JP switches alphabets by escape sequences and stays within seven bits.
    subject = b64encode("打ち合わせの件".encode("iso-2022-jp")).decode()
    name = b64encode("山本花子".encode("iso-2022-jp")).decode()
    body = "お世話になっております。\r\n来週の打ち合わせは火曜日の午後三時でいかがでしょうか。\r\n\r\n山本\r\n"
    return _raw(
        ("Date", format_datetime(date.astimezone(timezone(timedelta(hours=9))))),
        ("From", f"=?ISO-2022-JP?B?{name}?= <hanako@kamo.example>"),
        ("To", to),
        ("Subject", f"=?ISO-2022-JP?B?{subject}?="),
        ("Message-ID", "<kyoto-4@kamo.example>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'text/plain; charset="ISO-2022-JP"'),
        ("Content-Transfer-Encoding", "7bit"),
        body=body.encode("iso-2022-jp"),
    )


def _newsletter(to: str, date: datetime) -> bytes:
    sender = "The Slow Kitchen <letter@slowkitchen.example>"
    message = _message(to, date, sender, "Three soups for November 🍲", "letter-5")
    message["List-ID"] = "The Slow Kitchen <letter.slowkitchen.example>"
    message["List-Unsubscribe"] = "<mailto:leave@slowkitchen.example>, <https://slowkitchen.example/leave?reader=5>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Precedence"] = "bulk"
    message.set_content("Leek, lentil and pumpkin.\n\nRead on: https://slowkitchen.example/soups\n")
    message.add_alternative(
        "<html><body><h2>Three soups for November</h2><ul><li>Leek</li><li>Lentil</li><li>Pumpkin</li></ul>"
        '<p><a href="https://slowkitchen.example/soups">Read on</a></p>'
        '<p><small><a href="https://slowkitchen.example/leave?reader=5">Leave the list</a></small></p>'
        "</body></html>\n",
        subtype="html",
    )
    return bytes(message)


def _invitation(to: str, date: datetime) -> bytes:
    sender = "Noor Haddad <noor@atelier.example>"
    message = _message(to, date, sender, "Invitation: Colour review", "invitation-6")
    start = (date.astimezone(UTC) + timedelta(days=2)).replace(minute=0, second=0)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Atelier//Calendar//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        "UID:colour-review-6@atelier.example",
        f"DTSTAMP:{date.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(minutes=45):%Y%m%dT%H%M%SZ}",
        "SUMMARY:Colour review",
        "LOCATION:Studio 2",
        "ORGANIZER;CN=Noor Haddad:mailto:noor@atelier.example",
        f"ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{to}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    message.set_content("Colour review, 45 minutes, in studio 2. Please bring the blue samples.\n")
    calendar = "\r\n".join(lines) + "\r\n"
    message.add_alternative(calendar, subtype="calendar", params={"method": "REQUEST"})
    return bytes(message)


def _bounce(to: str, date: datetime) -> bytes:
    # RFC 6522 and 3464: a note for people, a report for machines, and what came back.
    sent = format_datetime(date - timedelta(minutes=1))
    lines = (
        "Return-Path: <>",
        f"Date: {format_datetime(date)}",
        "From: Mail Delivery System <MAILER-DAEMON@relay.example>",
        f"To: {to}",
        "Subject: Undelivered: Lunch on Friday?",
        f"Message-ID: <bounce-7.{date:%Y%m%d}@relay.example>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_bounce"',
        "",
        "--=_bounce",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "Your message to <olga@nowhere.example> could not be delivered:",
        "there is nobody of this name.",
        "",
        "--=_bounce",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; relay.example",
        f"Arrival-Date: {sent}",
        "",
        "Final-Recipient: rfc822; olga@nowhere.example",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 There is nobody of this name here",
        "",
        "--=_bounce",
        "Content-Type: message/rfc822",
        "",
        f"Date: {sent}",
        f"From: {to}",
        "To: olga@nowhere.example",
        "Subject: Lunch on Friday?",
        f"Message-ID: <lunch-7.{date:%Y%m%d}@lantern.example>",
        "",
        "Hello Olga, lunch on Friday?",
        "",
        "--=_bounce--",
        "",
    )
    return "\r\n".join(lines).encode()


def _message(to: str, date: datetime, sender: str, subject: str, number: str) -> EmailMessage:
    message = EmailMessage(policy.SMTP)
    message["Date"] = format_datetime(date)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{number}.{date:%Y%m%d}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["MIME-Version"] = "1.0"
    return message


def _raw(*fields: tuple[str, str], body: bytes) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii") + b"\r\n" + body


def _picture(width: int, height: int) -> bytes:
    """A PNG that fades from orange to dark blue."""
    row = b"".join(bytes((250 - x * 2, 160 - x, 60 + x)) for x in range(width))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress((b"\0" + row) * height))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pdf(lines: Iterable[str]) -> bytes:
    """One page of text, in one of the fonts that every reader has. The lines hold no parentheses."""
    shown = " ".join(f"({line}) ' " for line in lines)
    text = f"BT /F1 16 Tf 24 TL 56 780 Td {shown}ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    pdf = bytearray(b"%PDF-1.4\n")
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(pdf)
    pdf += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    pdf += b"".join(b"%010d 00000 n \n" % place for place in places)
    pdf += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(pdf)

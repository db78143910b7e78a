"""A mailbox as people have it, made up: the same bytes for the same seed, on every machine.

Message `n` of a seed depends on nothing else, so a small mailbox is the beginning of a large one. Sizes are lognormal
(median about 8 KB, a long tail to 8 MB), which makes 10,000 messages about 350 MB; the texts come in sixteen
charsets, whole and split over encoded words; one message in fifty is broken in one of the ways of `BROKEN`.

    python -m bench.corpus maildir DIR --count 10000 --big 50M     a maildir
    python -m bench.corpus eml DIR --count 100                     a file for each message
    python -m bench.corpus broken DIR                              one file for each way to be broken
"""

import argparse
import base64
import os
import quopri
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from math import log
from pathlib import Path
from urllib.parse import quote

from bench.tongues import MIX, WEIGHTS, Tongue, phrases

MEDIAN, SIGMA = 8 * 1024, 1.6
SMALLEST, LARGEST = 600, 8 << 20
BROKEN_SHARE = 0.02

FIRST = datetime(2017, 3, 1, tzinfo=UTC)
HOSTS = (
    "mail.example",
    "shop.example.com",
    "lists.example.org",
    "corp.example.net",
    "xn--bcher-kva.example",
    "uni.example.edu",
)
FILES = (
    ("application/pdf", "pdf"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("application/zip", "zip"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("text/csv", "csv"),
    ("application/octet-stream", "bin"),
)
CRLF = b"\r\n"
_LINE = 57  # octets that make a line of 76 in base64


def message(seed: int, number: int) -> bytes:
    """The message of this number: RFC 5322 with CRLF line ends, unless it is one of the broken ones."""
    kind = broken_kind(seed, number)
    return _Writer(seed, number).whole() if kind is None else broken(kind, seed, number)


def broken(kind: str, seed: int, number: int) -> bytes:
    """A message of this number that is broken in one of the ways of `BROKEN`."""
    return BROKEN[kind](_Writer(seed, number))


def broken_kind(seed: int, number: int) -> str | None:
    """In which way this message is broken, or None."""
    dice = random.Random(f"broken/{seed}/{number}")
    return dice.choice(sorted(BROKEN)) if dice.random() < BROKEN_SHARE else None


def big_message(seed: int, size: int) -> bytes:
    """A well-formed message of about `size` octets, nearly all of them one attachment."""
    writer = _Writer(seed, -1)
    return writer.header() + writer.multipart("mixed", [writer.text("plain", 500), writer.attachment(size)])


def reference(number: int) -> str:
    """A word that stands in the text of this well-formed message, and in no other."""
    return f"ref{number:07d}z" if number >= 0 else "refbigz"


def received_at(number: int) -> datetime:
    """When this message came."""
    return FIRST + timedelta(minutes=11 * max(number, 0))


def mailbox(seed: int, count: int, big: int = 0) -> Iterator[tuple[int, bytes]]:
    """The messages of a mailbox with their numbers, oldest first; the one of `big` octets (number -1) amid them."""
    for number in range(count):
        if big and number == count // 2:
            yield -1, big_message(seed, big)
        else:
            yield number, message(seed, number)


def write_maildir(folder: Path, seed: int, count: int, big: int = 0) -> int:
    """Write a mailbox as a maildir (most messages read, some flagged). How many octets it has."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    octets = 0
    for place, (number, raw) in enumerate(mailbox(seed, count, big)):
        moment = int(received_at(place).timestamp())
        dice = random.Random(f"flags/{seed}/{number}")
        flags = "".join(flag for flag, share in (("F", 0.05), ("R", 0.15), ("S", 0.8)) if dice.random() < share)
        path = folder / "cur" / f"{moment}.M{place:07d}.bench:2,{flags}"
        path.write_bytes(raw)
        os.utime(path, (moment, moment))
        octets += len(raw)
    return octets


class _Writer:
    """Writes one message; all its dice are of one seed."""

    def __init__(self, seed: int, number: int) -> None:
        self.seed = seed
        self.number = number
        self.dice = random.Random(f"{seed}/{number}")
        self.host = self.dice.choice(HOSTS)
        self.tongue: Tongue
        self.tongue, self.charset, _ = self.dice.choices(MIX, WEIGHTS)[0]
        self.known = phrases(self.tongue, seed)

    def whole(self) -> bytes:
        size = int(min(LARGEST, max(SMALLEST, self.dice.lognormvariate(log(MEDIAN), SIGMA))))
        header = self.header()
        return header + self.body(max(200, size - len(header)))

    def body(self, size: int) -> bytes:
        """Plain, HTML or both; what is long is seldom text, but text with files."""
        chance = self.dice.random()
        if size > 60_000:
            text = self.dice.randint(1_000, 30_000)
            both = self.multipart("alternative", [self.text("plain", text // 3), self.text("html", text)])
            files = self.dice.choice((1, 1, 2, 4))
            kind = "related" if chance < 0.3 else "mixed"
            inline = kind == "related"
            parts = [self.attachment((size - text) // files, inline=inline) for _ in range(files)]
            return self.multipart(kind, [both, *parts])
        if chance < 0.24:
            return self.text("plain", size)
        if chance < 0.40:
            return self.text("html", size)
        if chance < 0.76:
            return self.multipart("alternative", [self.text("plain", size // 3), self.text("html", size * 2 // 3)])
        if chance < 0.90:
            return self.multipart("mixed", [self.text("plain", size // 4), self.attachment(size * 3 // 4)])
        if chance < 0.95:
            picture = self.attachment(size // 3, inline=True)
            return self.multipart("related", [self.text("html", size * 2 // 3), picture])
        if chance < 0.98:
            inner = _Writer(self.seed + 1, self.number)
            forwarded = b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
            forwarded += inner.header() + inner.text("plain", size // 2)
            return self.multipart("mixed", [self.text("plain", size // 3), forwarded])
        status = (
            b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nAction: failed\r\n"
        )
        status += b"Final-Recipient: rfc822; somebody@example.org\r\nStatus: 5.1.1\r\n"
        return self.multipart("report; report-type=delivery-status", [self.text("plain", size), status])

    # Header

    def header(self, *, subject: bytes | None = None, without: str = "", more: bytes = b"") -> bytes:
        """Everything up to the body's own fields. `more` are fields of the caller's."""
        dice, date = self.dice, format_datetime(received_at(self.number))
        lines = [f"Return-Path: <bounces+{dice.getrandbits(32):x}@{self.host}>"]
        for hop in range(dice.randint(1, 6)):
            lines.append(
                f"Received: from relay{hop}.{self.host} (relay{hop}.{self.host} [192.0.2.{dice.randint(1, 254)}])\r\n"
                f"\tby mx{hop}.example.net with ESMTPS id {dice.getrandbits(48):x}\r\n\tfor <me@example.net>; {date}"
            )
        if dice.random() < 0.8:
            signature = base64.b64encode(dice.randbytes(256)).decode()
            folded = "\r\n\t ".join(signature[at : at + 72] for at in range(0, len(signature), 72))
            lines.append(
                f"DKIM-Signature: v=1; a=rsa-sha256; d={self.host}; s=key{dice.randint(1, 9)}; h=from:to:subject;\r\n"
                f"\tbh={base64.b64encode(dice.randbytes(32)).decode()};\r\n\tb={folded}"
            )
            lines.append(f"Authentication-Results: mx.example.net; dkim=pass header.d={self.host}; spf=pass")
        lines.append(f"From: {self.address()}")
        lines.append("To: " + ",\r\n ".join(self.address() for _ in range(dice.choice((1, 1, 1, 1, 2, 4, 10)))))
        if dice.random() < 0.2:
            lines.append("Cc: " + ",\r\n ".join(self.address() for _ in range(dice.randint(1, 5))))
        if self.number > 0 and dice.random() < 0.4:
            before = [self.message_id(max(0, self.number - back)) for back in range(dice.randint(1, 12), 0, -1)]
            lines += [f"In-Reply-To: {before[-1]}", "References: " + "\r\n ".join(before)]
        if dice.random() < 0.3:
            lines.append(
                f"List-Unsubscribe: <https://{self.host}/out/{dice.getrandbits(64):x}>,\r\n <mailto:out@{self.host}>"
            )
            lines.append(f"List-Id: <news{dice.randint(1, 30)}.{self.host}>")
        for extra in range(dice.randint(0, 5)):
            lines.append(f"X-Thing-{extra}: {base64.b64encode(dice.randbytes(dice.randint(10, 80))).decode()}")
        if without != "Date":
            lines.append(f"Date: {date}")
        lines.append(f"Message-ID: {self.message_id(self.number)}")
        lines.append("MIME-Version: 1.0")
        said = (
            self.encoded(self.joined(self.known.some(dice, dice.randint(2, 9)))).encode()
            if subject is None
            else subject
        )
        return "\r\n".join(lines).encode() + b"\r\nSubject: " + said + CRLF + more

    def message_id(self, number: int) -> str:
        return f"<{number}.{self.seed}.{number * 2654435761 & 0xFFFFFFFF:08x}@{HOSTS[number % len(HOSTS)]}>"

    def address(self) -> str:
        name = self.joined(self.known.some(self.dice, 2)).title()
        shown = f'"{name}"' if name.isascii() and self.dice.random() < 0.3 else self.encoded(name)
        return f"{shown} <person{self.dice.randint(1, 500)}@{self.dice.choice(HOSTS)}>"

    def encoded(self, text: str) -> str:
        """Text as it may stand in a header: encoded words where it is not ASCII (RFC 2047)."""
        if text.isascii():
            return text
        as_base64 = self.charset == "iso-2022-jp" or self.dice.random() < 0.6
        words = []
        for at in range(0, len(text), 12):
            octets = text[at : at + 12].encode(self.charset, "replace")
            if as_base64:
                words.append(f"=?{self.charset}?B?{base64.b64encode(octets).decode()}?=")
            else:
                shown = "".join(
                    chr(o) if chr(o).isalnum() and o < 128 else "_" if o == 32 else f"={o:02X}" for o in octets
                )
                words.append(f"=?{self.charset}?Q?{shown}?=")
        return "\r\n ".join(words)

    def joined(self, words: list[str]) -> str:
        return (" " if self.tongue.spaced else "").join(words)

    # Parts: their own header fields, an empty line, the content.

    def text(self, subtype: str, size: int) -> bytes:
        content = self.html(size) if subtype == "html" else CRLF.decode().join(self.lines(size))
        octets = content.encode(self.charset, "xmlcharrefreplace" if subtype == "html" else "replace")
        if self.charset == "iso-2022-jp":
            transfer = "7bit"
        else:
            transfer = self.dice.choice(
                ("7bit", "7bit", "quoted-printable") if octets.isascii() else ("8bit", "quoted-printable", "base64")
            )
        if transfer == "quoted-printable":
            octets = quopri.encodestring(octets.replace(CRLF, b"\n")).replace(b"\n", CRLF)
        elif transfer == "base64":
            octets = base64.encodebytes(octets).replace(b"\n", CRLF)
        head = (
            f'Content-Type: text/{subtype}; charset="{self.charset}"\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n'
        )
        return head.encode() + octets + CRLF

    def lines(self, size: int) -> Iterator[str]:
        """Lines of about `size` octets in all, once encoded; the reference comes early."""
        yield f"{self.joined(self.known.some(self.dice, 3))}, {reference(self.number)}"
        yield ""
        room = size - 60
        if self.charset not in ("us-ascii", "utf-8") and self.tongue.spaced:
            weight = 1.0
        else:
            weight = len("".join(self.known.words[:200]).encode(self.charset, "replace")) / len(
                "".join(self.known.words[:200])
            )
        while room > 0:
            quoted = self.dice.random() < 0.12
            for line in self.dice.choice(self.known.paragraphs):
                yield "> " + line if quoted else line
                room -= int(len(line) * weight) + 2
                if room <= 0:
                    return
            yield f"[{self.dice.getrandbits(24)}]"

    def html(self, size: int) -> str:
        rows = []
        for row, line in enumerate(self.lines(int(size * 0.45))):
            rows.append(
                f'<tr class="row{row % 7}"><td style="padding:4px 9px;color:#4{row % 10}5566"><p>{line}</p>'
                + (
                    f'<a href="https://{self.host}/t/{self.dice.getrandbits(40):x}?n={row}">&rarr; {row}</a>'
                    if row % 5 == 0
                    else ""
                )
                + "</td></tr>\r\n"
            )
        return (
            "<!doctype html>\r\n<html><head><style>body{margin:0} td{border:0}</style><title></title></head><body>\r\n"
            + '<table width="640" cellspacing="0">\r\n'
            + "".join(rows)
            + "</table>\r\n</body></html>"
        )

    def attachment(self, size: int, *, inline: bool = False) -> bytes:
        """A file of base64 that takes about `size` octets."""
        kind, suffix = self.dice.choice(FILES[1:3] if inline else FILES)
        name = f"{'_'.join(self.known.some(self.dice, 2))}_{self.dice.randint(1, 9999)}.{suffix}"
        if name.isascii():
            named = f'filename="{name}"'
        elif self.dice.random() < 0.5:
            named = f"filename*=utf-8''{quote(name)}"
        else:
            named = 'filename="' + self.encoded(name).replace(CRLF.decode(), "") + '"'
        if inline:
            where = (
                f"Content-Disposition: inline; {named}\r\nContent-ID: <picture{self.dice.getrandbits(32)}@{self.host}>"
            )
        else:
            where = f"Content-Disposition: attachment;\r\n\t{named}"
        pool = _noise(self.seed)
        lines, content = max(1, size // 78), []
        while lines > 0:
            start = self.dice.randrange(len(pool) // 78 // 2)
            taken = min(lines, len(pool) // 78 - start)
            content.append(pool[start * 78 : (start + taken) * 78])
            lines -= taken
        head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n{where}\r\n\r\n"
        return head.encode() + b"".join(content)

    def multipart(self, subtype: str, parts: list[bytes]) -> bytes:
        boundary = f"=_{self.dice.getrandbits(80):x}"
        line = f"--{boundary}\r\n".encode()
        head = f'Content-Type: multipart/{subtype};\r\n\tboundary="{boundary}"\r\n\r\nThere are several parts.\r\n'
        return head.encode() + b"".join(line + part.removesuffix(CRLF) + CRLF for part in parts) + line[:-2] + b"--\r\n"


@lru_cache(maxsize=4)
def _noise(seed: int) -> bytes:
    """Some MB of base64 lines that don't compress, to cut files from."""
    noise = random.Random(f"noise/{seed}").randbytes(_LINE * 100_000)
    return base64.encodebytes(noise).replace(b"\n", CRLF)


# Ways to be broken. Each is a whole message; all of them have been met in the wild in some form.

BROKEN: dict[str, Callable[[_Writer], bytes]] = {}


def _way(write: Callable[[_Writer], bytes]) -> Callable[[_Writer], bytes]:
    BROKEN[write.__name__] = write
    return write


_TWO_PARTS = b"--edge\r\nContent-Type: text/plain\r\n\r\none\r\n--edge\r\nContent-Type: text/html\r\n\r\n<p>two</p>\r\n"


def _typed(writer: _Writer, content_type: bytes, body: bytes, fields: bytes = b"") -> bytes:
    return writer.header(more=b"Content-Type: " + content_type + CRLF + fields) + CRLF + body


@_way
def boundary_not_named(writer: _Writer) -> bytes:
    return _typed(writer, b"multipart/mixed", _TWO_PARTS + b"--edge--\r\n")


@_way
def boundary_never_met(writer: _Writer) -> bytes:
    return _typed(writer, b'multipart/mixed; boundary="elsewhere"', _TWO_PARTS)


@_way
def boundary_empty(writer: _Writer) -> bytes:
    return _typed(writer, b'multipart/mixed; boundary=""', b"--\r\n\r\none\r\n----\r\n")


@_way
def boundary_not_closed(writer: _Writer) -> bytes:
    return _typed(writer, b'multipart/mixed; boundary="edge"', _TWO_PARTS)


@_way
def boundary_begins_another(writer: _Writer) -> bytes:
    inner = b'--e\r\nContent-Type: multipart/mixed; boundary="edge"\r\n\r\n' + _TWO_PARTS + b"--edge--\r\n--e--\r\n"
    return _typed(writer, b'multipart/mixed; boundary="e"', inner)


@_way
def boundary_the_same_inside(writer: _Writer) -> bytes:
    inner = b'--edge\r\nContent-Type: multipart/mixed; boundary="edge"\r\n\r\n' + _TWO_PARTS + b"--edge--\r\n"
    return _typed(writer, b'multipart/mixed; boundary="edge"', inner)


@_way
def cut_off_in_an_attachment(writer: _Writer) -> bytes:
    whole = writer.header() + writer.multipart("mixed", [writer.text("plain", 300), writer.attachment(9_000)])
    return whole[:-4_001]


@_way
def parts_nested_sixty_deep(writer: _Writer) -> bytes:
    opened = b"".join(b'Content-Type: multipart/mixed; boundary="d%d"\r\n\r\n--d%d\r\n' % (n, n) for n in range(60))
    closed = b"".join(b"--d%d--\r\n" % n for n in reversed(range(60)))
    return writer.header() + opened + b"Content-Type: text/plain\r\n\r\ndeep\r\n" + closed


@_way
def messages_nested_thirty_deep(writer: _Writer) -> bytes:
    return (
        b"".join(writer.header() + b"Content-Type: message/rfc822\r\n\r\n" for _ in range(30))
        + writer.header()
        + b"\r\nat last\r\n"
    )


@_way
def multipart_in_base64(writer: _Writer) -> bytes:
    body = base64.encodebytes(_TWO_PARTS + b"--edge--\r\n")
    return _typed(writer, b'multipart/mixed; boundary="edge"', body, b"Content-Transfer-Encoding: base64\r\n")


@_way
def message_in_base64(writer: _Writer) -> bytes:
    body = base64.encodebytes(_Writer(writer.seed + 2, writer.number).header() + b"\r\ninner\r\n")
    return _typed(writer, b"message/rfc822", body, b"Content-Transfer-Encoding: base64\r\n")


@_way
def charset_unknown(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain; charset=x-our-own-37", "grüße\r\n".encode())


@_way
def charset_wrong(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain; charset=us-ascii", "Ελληνικά, ñandú, 日本\r\n".encode())


@_way
def charset_with_rubbish(writer: _Writer) -> bytes:
    return _typed(writer, b'text/plain; charset="utf-8;x=y" ; =; charset', "zażółć\r\n".encode())


@_way
def half_surrogates(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain; charset=utf-8", b"\xed\xa0\xbd and \xf5\x80 and \xc3\r\n")


@_way
def in_utf_16(writer: _Writer) -> bytes:
    body = base64.encodebytes("twice as wide ü".encode("utf-16"))
    return _typed(writer, b"text/plain; charset=utf-16", body, b"Content-Transfer-Encoding: base64\r\n")


@_way
def in_utf_7(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain; charset=utf-7", b"1 +- 1, +AOQ-\r\n")


@_way
def raw_utf_8_in_the_header(writer: _Writer) -> bytes:
    return writer.header(subject="Žluťoučký kůň – €".encode()) + b"\r\ntext\r\n"


@_way
def raw_latin_1_in_the_header(writer: _Writer) -> bytes:
    return writer.header(subject="Überraschung für Zoë".encode("latin-1")) + b"\r\ntext\r\n"


@_way
def encoded_words_broken(writer: _Writer) -> bytes:
    said = b"=?utf-8?B?%%%%?= =?utf-8?Q?=G1=?= =?x-nobody?Q?a?= =?utf-8?B?w6Q=?=glued =?utf-8?Q?open"
    return writer.header(subject=said) + b"\r\ntext\r\n"


@_way
def encoded_words_split_a_letter(writer: _Writer) -> bytes:
    octets = "日本語の件名".encode()
    cut = [base64.b64encode(octets[at : at + 4]) for at in range(0, len(octets), 4)]
    return writer.header(subject=b"\r\n ".join(b"=?utf-8?B?" + each + b"?=" for each in cut)) + b"\r\ntext\r\n"


@_way
def no_date(writer: _Writer) -> bytes:
    return writer.header(without="Date") + b"\r\ntext\r\n"


@_way
def date_impossible(writer: _Writer) -> bytes:
    return writer.header(without="Date", more=b"Date: Sun, 31 Feb 2021 25:61:00 +9900\r\n") + b"\r\ntext\r\n"


@_way
def addresses_impossible(writer: _Writer) -> bytes:
    more = b'Cc: , <<a@b>>, "open <x@y>, nobody:;, a@b@c.example, =?utf-8?Q?x=2C_y?= <z>, @, <\r\n'
    return writer.header(more=more) + b"\r\ntext\r\n"


@_way
def line_without_colon(writer: _Writer) -> bytes:
    return writer.header(more=b"this is no field\r\nX-After: that\r\n") + b"\r\ntext\r\n"


@_way
def blank_line_folded(writer: _Writer) -> bytes:
    return writer.header(more=b"X-Folded: one\r\n \t\r\n two\r\nX-After: that\r\n") + b"\r\ntext\r\n"


@_way
def header_of_100_kb(writer: _Writer) -> bytes:
    return writer.header(more=b"X-Long: " + b"\r\n ".join(b"y" * 70 for _ in range(1_400)) + CRLF) + b"\r\ntext\r\n"


@_way
def header_alone(writer: _Writer) -> bytes:
    return writer.header().removesuffix(CRLF)


@_way
def body_alone(writer: _Writer) -> bytes:
    return b"\r\nNothing but this text, number %d.\r\n" % writer.number


@_way
def mbox_line_first(writer: _Writer) -> bytes:
    return b">From somebody@example.org Thu Jan  1 00:00:00 2015\r\n" + writer.header() + b"\r\nFrom the top.\r\n"


@_way
def two_content_types(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain", b"<b>which?</b>\r\n", b"Content-Type: text/html; charset=utf-8\r\n")


@_way
def content_type_rubbish(writer: _Writer) -> bytes:
    return _typed(writer, b"; /=text//plain;;; charset", b"text\r\n")


@_way
def transfer_unknown(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain", b"grkg\r\n", b"Content-Transfer-Encoding: x-rot13\r\n")


@_way
def base64_broken(writer: _Writer) -> bytes:
    return _typed(
        writer,
        b'image/png; name="a.png"',
        b"iVBOR!w0K==Ggo*A\r\nAA=\r\nB\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
    )


@_way
def quoted_printable_broken(writer: _Writer) -> bytes:
    return _typed(
        writer,
        b"text/plain; charset=utf-8",
        b"=C3=\r\n=A4 =XY =E =\r\n=",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
    )


@_way
def file_name_in_broken_pieces(writer: _Writer) -> bytes:
    fields = b"Content-Disposition: attachment; filename*2=c; filename*0*=utf-8''%C3; filename*1*=%A4%QQ\r\n"
    return _typed(writer, b"application/octet-stream", b"data\r\n", fields)


@_way
def file_name_climbs(writer: _Writer) -> bytes:
    fields = b'Content-Disposition: attachment; filename="..\\../../\x02etc/passwd\x00.exe"\r\n'
    return _typed(writer, b"application/octet-stream", b"data\r\n", fields)


@_way
def uuencoded_in_the_text(writer: _Writer) -> bytes:
    return writer.header() + b"\r\nSee below.\r\n\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n"


@_way
def nul_octets(writer: _Writer) -> bytes:
    return writer.header() + b"\r\nnul \0 and \0\0.\r\n"


@_way
def bare_line_feeds(writer: _Writer) -> bytes:
    return (writer.header() + writer.text("plain", 900)).replace(CRLF, b"\n")


@_way
def bare_carriage_returns(writer: _Writer) -> bytes:
    return writer.header(more=b"X-Bare: a\rb\r\n") + b"\r\none\rtwo\r\r\nthree\r\n"


@_way
def line_of_200_kb(writer: _Writer) -> bytes:
    return _typed(writer, b"text/plain", b"z" * 200_000 + CRLF)


@_way
def binary_under_8bit(writer: _Writer) -> bytes:
    return _typed(
        writer, b"application/octet-stream", writer.dice.randbytes(4_000), b"Content-Transfer-Encoding: 8bit\r\n"
    )


@_way
def html_that_does_not_say_so(writer: _Writer) -> bytes:
    return writer.header() + b"\r\n<html><body>No type is given.</body></html>\r\n"


def octets(text: str) -> int:
    """A size such as `50M` in octets."""
    units = {"K": 1 << 10, "M": 1 << 20}
    return int(text[:-1]) * units[text[-1].upper()] if text[-1:].upper() in units else int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make up a mailbox.")
    parser.add_argument("what", choices=("maildir", "eml", "broken"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--big", type=octets, default=0, metavar="SIZE", help="one message of this size among them")
    asked = parser.parse_args()
    if asked.what == "maildir":
        size = write_maildir(asked.folder, asked.seed, asked.count, asked.big)
        print(f"{asked.count} messages, {size / 1e6:.0f} MB")
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.what == "eml":
        for number, raw in mailbox(asked.seed, asked.count, asked.big):
            (asked.folder / f"{number:06d}.eml").write_bytes(raw)
    else:
        for kind in BROKEN:
            (asked.folder / f"{kind}.eml").write_bytes(broken(kind, asked.seed, 0))


if __name__ == "__main__":
    main()

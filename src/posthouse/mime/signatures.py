"""The signature of an email: the lines at its end that say who wrote it.

Recognised, in this order: by the delimiter "-- " (RFC 3676 §4.3), by the markup with which mail programs wrap one, by
the line that a telephone adds ("Sent from my iPhone"), and by a closing ("Best regards,") that few lines follow. What
is quoted from an earlier email is no part of it.
"""

import re

from posthouse.mime.selecting import lines, select, tree
from posthouse.model.findings import Signature, SignatureKind, Source
from posthouse.model.message import Message

_MOST_LINES = 20
_LARGEST = 200_000

_DELIMITER = re.compile(r"-- ?|—|_{2,40}|-{3,40}|={3,40}")
_DEVICE = re.compile(
    r"(?:sent|get) (?:from|with|via|outlook for) .{1,60}|"
    r"(?:diese nachricht wurde )?von meinem .{1,40} gesendet|gesendet (?:von|mit) .{1,40}|"
    r"envoyé (?:de|depuis) .{1,40}|enviado (?:desde|do|de) .{1,40}|inviato (?:da|dal) .{1,40}|"
    r"verzonden (?:vanaf|met) .{1,40}|wysłan\w (?:z|ze) .{1,40}|отправлено (?:с|из) .{1,40}|skickat från .{1,40}",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:(?:with )?(?:kind|best|warm|warmest|many)?\s?(?:regards|wishes|thanks)|best|cheers|sincerely(?: yours)?|"
    r"yours (?:sincerely|faithfully|truly)|thanks(?: again| so much)?|thank you(?: very much)?|respectfully|"
    r"cordially|all the best|"
    r"(?:mit )?(?:freundlichen?|besten?|herzlichen?|vielen?|liebe[nr]?|schöne|viele) "
    r"(?:grüßen?|gruß|grüssen?|dank)(?: aus .{1,30})?|mfg|lg|vg|hochachtungsvoll|"
    r"cordialement|bien (?:cordialement|à vous)|(?:meilleures )?salutations(?: distinguées)?|amicalement|"
    r"(?:un )?(?:cordial(?:es)?|atentos?)? ?saludos?(?: cordiales)?|atentamente|"
    r"atenciosamente|(?:com os melhores )?cumprimentos|abraços|(?:cordiali |distinti )?saluti|"
    r"met vriendelijke groete?n?|groet(?:en|jes)?|med vänliga? hälsning(?:ar)?|mvh|hilsen|med venlig hilsen|"
    r"z poważaniem|pozdrawiam|с уважением|с наилучшими пожеланиями|saygılarımla|"
    r"よろしくお願い(?:いた)?します|此致|敬具)"
    r"[\s,.!;–-]{0,5}",
    re.IGNORECASE,
)
# Where the mail that is answered begins.
_QUOTE = re.compile(
    r">.*|_{20,}|(?:from|von|de|da|van): .{1,200}"
    r"|(?:on|am|le|el|il|op|em|den|dne|w dniu) .{4,200}"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|napsal|napisał\w?).{0,80}:"
    r"|-{2,12} ?(?:original message|ursprüngliche nachricht|forwarded message|message d'origine|mensaje original|"
    r"messaggio originale).{0,20}",
    re.IGNORECASE,
)
_MARKUP = (
    ".gmail_signature, [data-smartmail=gmail_signature], .moz-signature, #Signature, #signature, .signature, "
    "#AppleMailSignature, .protonmail_signature_block, .email-signature"
)
_QUOTED_MARKUP = ".gmail_quote, blockquote, .moz-cite-prefix"


def find(message: Message) -> Signature | None:
    """The signature of a message, or None when there is nothing to recognise one by."""
    if message.text.strip():
        found = _in_lines(message.text[-_LARGEST:], Source.TEXT)
        if found is not None and found.kind is SignatureKind.DELIMITER:
            return found
        return _in_markup(message.html) or found
    if not message.html:
        return None
    return _in_markup(message.html) or _in_lines(_own_text(message.html)[-_LARGEST:], Source.HTML)


def _own_text(markup: str) -> str:
    """What a reader sees, without what is quoted."""
    found = tree(markup)
    pieces = list(found.pieces)
    for element in select(found, _QUOTED_MARKUP):
        begin, end = found.begins[element], found.ends[element]
        pieces[begin:end] = [""] * (end - begin)
    return "".join(pieces)


def _in_markup(markup: str) -> Signature | None:
    if not markup:
        return None
    found = tree(markup)
    quoted = set(select(found, f"{_QUOTED_MARKUP}, :is({_QUOTED_MARKUP}) *"))
    own = [element for element in select(found, _MARKUP) if element not in quoted]
    for element in own[:1]:
        said = lines(found, [element])
        body = [line for line in said if not _DELIMITER.fullmatch(line)][:_MOST_LINES]
        if body:
            marker = found.attributes[element].get("class") or found.attributes[element].get("id") or ""
            return Signature(body="\n".join(body), marker=marker, kind=SignatureKind.MARKUP, source=Source.HTML)
    return None


def _in_lines(text: str, source: Source) -> Signature | None:
    own = _unquoted(text.replace("\xa0", " ").split("\n"))
    for kind, sign, reach, keeps in (
        (SignatureKind.DELIMITER, _DELIMITER, _MOST_LINES, False),
        (SignatureKind.DEVICE, _DEVICE, 3, True),
        (SignatureKind.CLOSING, _CLOSING, 10, True),
    ):
        for place in range(len(own) - 1, max(-1, len(own) - 1 - _MOST_LINES), -1):
            line = own[place].strip() if sign is not _DELIMITER else own[place].rstrip("\r")
            if not line or len(line) > 200 or not sign.fullmatch(line):
                continue
            body = [each.strip() for each in own[place + (not keeps) :] if each.strip()]
            if (keeps or body) and len(body) <= reach + 1 and all(len(each) <= 200 for each in body):
                return Signature(body="\n".join(body), marker=line.strip(), kind=kind, source=source)
    return None


def _unquoted(lines: list[str]) -> list[str]:
    """The lines of the writer's own, up to what is quoted at the end; without empty ones behind."""
    end = len(lines)
    for place, line in enumerate(lines):
        if line.strip() and len(line) < 400 and _QUOTE.fullmatch(line.strip()):
            rest = [each for each in lines[place:] if each.strip()]
            said_by_others = sum(each.lstrip().startswith(">") for each in rest)
            if said_by_others * 2 >= len(rest) - 1 or not line.lstrip().startswith(">"):
                end = place
                break
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]

"""Addresses: what headers say, whatever they say, and what our users may write.

`read` takes any text and finds what it can in one pass. `parse_addresses` takes what a caller of ours wrote, and
refuses what is not plainly an address: a guess there would send mail to the wrong person.
"""

import re
import unicodedata
from collections.abc import Iterator

from posthouse.mime import headers
from posthouse.model.errors import Invalid
from posthouse.model.message import Address

# What a header's addresses are made of. An encoded word is one word even where it holds a comma, and a quoted
# local part is bounded so that unclosed quotes can't make us look far ahead again and again.
_TOKEN = re.compile(
    r"=\?[^?\s]{1,64}\?[bBqQ]\?[^?]*+\?="  # an encoded word
    r'|<((?:[^<>"]++|"(?:[^"\\]|\\.){0,128}+"|")*+)>?'  # <address>
    r"|\[[^\[\]]*+\]"  # a domain literal
    r'|[",:;()<>\[\]\\]'
    r"|\s++"
    r'|[^\s",:;()<>\[\]\\=]++'
    r"|="
)
# Most addresses, at a stroke.
_COMMON = re.compile(
    r"""\s*+(?:"([^"\\]*+)"|([^"(),:;<>@\[\]\\]*+))\s*+"""
    r"""<([^\s"(),:;<>@\[\]\\]{1,64}@[^\s"(),:;<>@\[\]\\]{1,255})>\s*+(?:,|$)"""
)
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_PAREN = re.compile(r"[()]|\\.", re.DOTALL)
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read(value: str, most: int) -> tuple[Address, ...]:
    """The addresses in a header's value, at most so many (RFC 5322 §3.4 and §4.4, groups opened).

    Something that is no usable address keeps its words as the name, with an empty `email`.
    """
    found: list[Address] = []
    for address in _addresses(value):
        if len(found) == most:
            break
        found.append(address)
    return tuple(found)


def _addresses(value: str) -> Iterator[Address]:
    phrase: list[str] = []
    comment = angle = ""
    quotes_close = parens_close = True
    at, end = 0, len(value)
    while at < end:
        if not phrase and not angle and (common := _COMMON.match(value, at)):
            name = common[1] or common[2]
            if name:
                name = headers.folded(headers.words(name))
            yield Address(name, common[3])
            at = common.end()
            continue
        token = _TOKEN.match(value, at)
        if token is None:  # cannot be: the pattern takes every character
            break
        text = token[0]
        at = token.end()
        if token[1] is not None:
            if not angle:
                angle = token[1] if text.endswith(">") else token[1].partition(",")[0]
            if not text.endswith(">") and "," in text:
                at = token.start() + text.index(",")
        elif text in (",", ";"):
            yield from _address(phrase, angle, comment)
            phrase, comment, angle = [], "", ""
        elif text == ":":
            if not angle:
                phrase = []  # a group's name: its members follow
        elif text == '"':
            quoted = _QUOTED.match(value, token.start()) if quotes_close else None
            if quoted is None:
                quotes_close = False
                continue
            at = quoted.end()
            # A quoted local part keeps its quotes: they belong to the address.
            phrase.append(quoted[0] if value[at : at + 1] == "@" else _UNESCAPE.sub(r"\1", quoted[1]))
        elif text == "(":
            close = _closing(value, at) if parens_close else 0
            if not close:
                parens_close = False
                continue
            comment = comment or value[at : close - 1]
            at = close
        elif text not in ("<", ">", ")", "\\"):
            phrase.append(text)
    yield from _address(phrase, angle, comment)


def _closing(value: str, at: int) -> int:
    """The place behind the parenthesis that closes the comment we are in, or 0. Comments nest (RFC 5322 §3.2.2)."""
    depth = 1
    for paren in _PAREN.finditer(value, at):
        depth += {"(": 1, ")": -1}.get(paren[0], 0)
        if depth == 0:
            return paren.end()
    return 0


def _address(phrase: list[str], angle: str, comment: str) -> Iterator[Address]:
    words = "".join(phrase).strip()
    email = _usable(angle)
    if not angle:
        email = _usable(words)
        if email:
            words = ""
        elif "@" in words:
            *before, last = words.split()
            email = _usable(last)
            words = " ".join(before) if email else words
    name = headers.folded(headers.words(words or (comment if email else "")))
    if name or email:
        yield Address(name, email)
    elif angle.strip():
        yield Address(headers.folded(headers.clean(angle)), "")


def _usable(text: str) -> str:
    """`text` as an address if it is one: a local part, one @, a domain; old source routes are dropped."""
    text = text.strip()
    if text.startswith("@"):
        text = text.rpartition(":")[2]
    if not text.startswith('"'):
        # RFC 5322 §4.4 allowed blanks around the dots and the @; elsewhere they part words.
        text = " ".join(text.split()).replace(" @", "@").replace("@ ", "@").replace(" .", ".").replace(". ", ".")
        if " " in text:
            return ""
    local, _, domain = text.rpartition("@")
    if not local or not domain or len(text) > _LONGEST or _UNUSABLE_DOMAIN.search(domain):
        return ""
    if local[0] == '"' == local[-1]:
        return headers.clean(text)
    return "" if "@" in local or '"' in local else headers.clean(text)


_LONGEST = 1000
_UNUSABLE_DOMAIN = re.compile(r'[\s"(),;<>\\]')


# -- what our users write -----------------------------------------------------------------------------------------

_ITEM = re.compile(
    r'\s*+(?:(?:"((?:[^"\\]|\\.){0,1000}+)"|([^"<>,;@()\\]{0,1000}+))\s*+<([^<>]{1,1000}+)>'
    r'|("(?:[^"\\]|\\.){0,100}+"@[^<>,;\s]{1,1000}+|[^<>,;\s]{1,1000}+))'
    r"\s*+(?:[,;]|$)"
)
_LOCAL = re.compile(
    r"(?:[\w!#$%&'*+/=?^`{|}~-]|[^\x00-\x7f])+(?:\.(?:[\w!#$%&'*+/=?^`{|}~-]|[^\x00-\x7f])+)*"
    r'|"(?:[ !#-\[\]-~]|\\[ -~]|[^\x00-\x7f])*"',
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LITERAL = re.compile(r"\[[0-9A-Za-z.:-]{2,64}\]")


def parse_addresses(text: str) -> tuple[Address, ...]:
    """The addresses in `text`: `ann@example.org`, `Ann <ann@example.org>`, several with commas between them.

    Domains come back as they travel: in lower case and ASCII. Whatever is not an address raises `Invalid`.
    """
    if _CONTROL.search(text):
        raise Invalid("an address holds a line break or control character")
    found: list[Address] = []
    at = 0
    text = text.strip().rstrip(",;")
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None:
            raise Invalid(f"not an address: {text[at : at + 80]!r}")
        quoted, plain, angle, bare = item.groups()
        name = _UNESCAPE.sub(r"\1", quoted) if quoted is not None else (plain or "")
        found.append(Address(headers.folded(name), checked(angle if angle is not None else bare)))
        at = item.end()
    return tuple(found)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


def checked(email: str) -> str:
    """`email` as it travels, its domain in lower case and ASCII (RFC 5890); `Invalid` when it is no address.

    A local part beyond ASCII stays as it is: such an address needs SMTPUTF8 (RFC 6531).
    """
    email = email.strip(" ")
    local, at, domain = email.rpartition("@")
    # RFC 5321 §4.5.3.1: 64 octets before the @, 255 after it.
    if (
        not at
        or len(email) > _LONGEST
        or _CONTROL.search(email)
        or not _LOCAL.fullmatch(local)
        or any(character.isspace() for character in local if not character.isascii())
        or len(local.encode()) > 64
    ):
        raise Invalid(f"not an address: {email[:80]!r}")
    return f"{local}@{_ascii_domain(domain, email)}"


def _ascii_domain(domain: str, email: str) -> str:
    if _LITERAL.fullmatch(domain):
        return domain
    # UTS 46, non-transitional: the standard library's codec is of 2003 and would turn straße.de into strasse.de.
    domain = unicodedata.normalize("NFKC", domain.replace("。", ".").replace("｡", "."))
    domain = unicodedata.normalize("NFC", domain.lower())
    labels = [_ascii_label(label) for label in domain.split(".")]
    if not all(_LABEL.fullmatch(label) for label in labels) or sum(map(len, labels)) + len(labels) > 255:
        raise Invalid(f"not a domain: {email[:80]!r}")
    return ".".join(labels)


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    if not all(character in "-\u200c\u200d·" or unicodedata.category(character)[0] in "LMN" for character in label):
        return ""
    return "xn--" + label.encode("punycode").decode("ascii")

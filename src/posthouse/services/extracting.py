"""What tests and programs want out of an email: codes, links, matches, parts, lines, its signature; and whether its
HTML will do. All of it is read from the raw message when it is asked for, and nothing of it leaves the house."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from posthouse.mime import codes, html, links, selecting, signatures, validity
from posthouse.mime.reading import content, text_of
from posthouse.model.errors import Invalid, NotFound
from posthouse.model.findings import (
    BodyCheck,
    CodeWish,
    Flaw,
    FoundCodes,
    LinkBehaviour,
    PartContent,
    Severity,
    Signature,
)
from posthouse.model.mail import Email
from posthouse.model.message import Message, Part
from posthouse.model.values import AccountId, EmailId
from posthouse.services.mail import Mail, Opened
from posthouse.services.patterns import Expression

T = TypeVar("T")

MOST_PATTERNS = 20
MOST_LINKS = 20
_LARGE = 64 << 10  # from here on, looking through an email leaves the event loop


class Extracting:
    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def codes(self, account: AccountId, email_id: EmailId, wish: CodeWish) -> FoundCodes:
        """One-time codes and links. Raises Invalid for a pattern that can't be used."""
        if len(wish.patterns) > MOST_PATTERNS:
            raise Invalid(f"at most {MOST_PATTERNS} patterns can be tried at once")
        patterns = [Expression(pattern, capturing=True).codes for pattern in wish.patterns]

        def look(message: Message) -> FoundCodes:
            notes: list[str] = []
            found = codes.find_by(message, patterns, wish)
            if patterns and not found and wish.fall_back:
                notes.append("no pattern of yours found a code: these have the usual forms")
            if not patterns or (not found and wish.fall_back):
                found = codes.find(message, wish)
            return FoundCodes(codes=tuple(found), links=tuple(links.one_time(message, MOST_LINKS)), notes=tuple(notes))

        return await self._look(account, email_id, look)

    async def match(self, account: AccountId, email_id: EmailId, pattern: str) -> Sequence[str]:
        """The first match of a regular expression in the body, and its groups; nothing when there is none. Where the
        HTML as it is written has none, the text that a reader sees is tried. Raises Invalid for an expression that
        can't be used."""
        expression = Expression(pattern, capturing=True)

        def look(message: Message) -> Sequence[str]:
            for text in (message.html, message.text, html.text(message.html) if message.html else ""):
                found = expression.groups(text)
                if found is not None:
                    return found
            return ()

        return await self._look(account, email_id, look)

    async def part(
        self, account: AccountId, email_id: EmailId, content_type: str, *, strict: bool = False, index: int = 0
    ) -> PartContent:
        """The part of this content type; of several, the one of this index. Unless `strict`, a piece of the type's
        name will do (`html`). Raises NotFound, saying which parts there are."""
        opened = await self._mail.open(account, email_id)
        wanted = content_type.partition(";")[0].strip().lower()
        if not wanted:
            raise Invalid("contentType is empty: ask for text/plain, or for html")
        there = [part for part in opened.message.parts if not part.content_type.startswith("multipart/")]
        fitting = [part for part in there if (part.content_type == wanted if strict else wanted in part.content_type)]
        if index >= len(fitting):
            types = ", ".join(dict.fromkeys(part.content_type for part in there)) or "nothing"
            raise NotFound(f"there are {len(fitting)} parts of the type {wanted[:80]} in this email: it has {types}")
        part = fitting[index]
        return await _beside(part.size, lambda: _content(opened, part))

    async def query(self, account: AccountId, email_id: EmailId, selector: str) -> list[str]:
        """The lines of text that a CSS selector means, in the email's HTML. Raises Invalid when it has none, or for
        a selector that can't be used."""

        def look(message: Message) -> list[str]:
            tree = selecting.tree(_html_of(message))
            return selecting.lines(tree, selecting.select(tree, selector))

        return await self._look(account, email_id, look)

    async def links(self, account: AccountId, email_id: EmailId, selector: str = "") -> tuple[list[str], str]:
        """The links in the email's HTML, of those only that a selector means; and the HTML. Raises Invalid as
        `query` does."""

        def look(message: Message) -> tuple[list[str], str]:
            return [link.url for link in links.links(_html_of(message), selector)], message.html

        return await self._look(account, email_id, look)

    async def lines(self, account: AccountId, email_id: EmailId, *, decoded: bool = True) -> list[str]:
        """The body as lines of text, without empty ones: of the HTML where there is any. Character references in it
        stay as they are written where it is not to be `decoded`."""

        def look(message: Message) -> list[str]:
            text = html.text(message.html, decoded=decoded) if message.html else message.text
            return [line for each in text.split("\n") if (line := each.strip())]

        return await self._look(account, email_id, look)

    async def signature(self, account: AccountId, email_id: EmailId) -> Signature | None:
        return await self._look(account, email_id, signatures.find)

    async def preview(
        self, account: AccountId, email_id: EmailId, *, links: LinkBehaviour, with_images: bool = False
    ) -> tuple[Email, str]:
        """The email, and a document that shows it: it runs nothing and fetches nothing."""
        email = await self._mail.get(account, email_id)
        markup = await self._mail.html(account, email_id, with_images=with_images)
        return email, await _beside(len(markup), lambda: _document(html.displayable(markup, links)))

    async def validate(self, account: AccountId, email_id: EmailId) -> list[Flaw]:
        """What is wrong with the email's HTML; nothing is with one that has none."""
        return await self._look(account, email_id, lambda message: validity.check(message.html))

    async def check(self, account: AccountId, email_id: EmailId) -> BodyCheck:
        """Links and images that lead nowhere, from how they are written: nobody is asked."""
        return await self._look(account, email_id, links.check)

    async def _look(self, account: AccountId, email_id: EmailId, look: Callable[[Message], T]) -> T:
        opened = await self._mail.open(account, email_id)
        message = opened.message
        return await _beside(len(message.html) + len(message.text), lambda: look(message))


async def _beside(size: int, work: Callable[[], T]) -> T:
    """Do some work, beside the event loop where it may take long."""
    return work() if size < _LARGE else await asyncio.to_thread(work)


def _html_of(message: Message) -> str:
    if not message.html:
        raise Invalid("this email has no HTML: ask for its textLines or its contentMatch")
    return message.html


def _content(opened: Opened, part: Part) -> PartContent:
    octets = content(opened.raw, part)
    text = text_of(opened.raw, part) if _is_text(part.content_type) else None
    return PartContent(content_type=part.content_type, content=octets, text=text)


def _is_text(content_type: str) -> bool:
    kind, _, name = content_type.partition("/")
    return kind in ("text", "message") or name in ("json", "xml", "javascript") or name.endswith(("+json", "+xml"))


def _document(safe: str) -> str:
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
        '<meta name="referrer" content="no-referrer"></head>'
        f"<body>{safe}</body></html>"
    )


def is_valid(flaws: Sequence[Flaw]) -> bool:
    """Whether HTML with these flaws will do."""
    return not any(flaw.severity is Severity.ERROR for flaw in flaws)

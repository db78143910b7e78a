"""What is found in an email, as MailSlurp's clients know it."""

import base64
from collections.abc import Sequence
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import QueryModel, Text, WireModel
from posthouse.model.errors import Invalid
from posthouse.model.findings import (
    BodyCheck,
    Code,
    CodeWish,
    Flaw,
    FoundCodes,
    Issue,
    LinkBehaviour,
    OneTimeLink,
    PartContent,
    Severity,
    SignatureKind,
)
from posthouse.model.findings import Signature as FoundSignature
from posthouse.services.extracting import is_valid

# --- codes -------------------------------------------------------------------------------------------------------


class Method(StrEnum):
    """How codes are looked for. We have patterns alone: no model of a language reads anybody's mail here."""

    AUTO = "AUTO"
    PATTERN = "PATTERN"
    LLM = "LLM"
    OCR = "OCR"
    OCR_THEN_LLM = "OCR_THEN_LLM"


_SHORTEST, _LONGEST, _MOST = 4, 10, 5


class ExtractCodesOptions(WireModel):
    method: Method | None = None
    allow_fallback: bool | None = None
    min_length: int | None = Field(default=None, ge=1, le=100)
    max_length: int | None = Field(default=None, ge=1, le=100)
    max_candidates: int | None = Field(default=None, ge=1, le=100)
    custom_patterns: list[Text] | None = None

    def to_domain(self) -> CodeWish:
        """Raises Invalid for a method that we don't have, where no other may be taken."""
        fall_back = self.allow_fallback is not False
        if self.method not in (None, Method.AUTO, Method.PATTERN) and not fall_back:
            raise Invalid(f"there is no {self.method} here: use the method PATTERN, or set allowFallback")
        shortest, longest = self.min_length or _SHORTEST, self.max_length or max(_LONGEST, self.min_length or 0)
        if shortest > longest:
            raise Invalid("minLength is greater than maxLength")
        return CodeWish(
            shortest=shortest,
            longest=longest,
            most=self.max_candidates or _MOST,
            patterns=tuple(self.custom_patterns or ()),
            fall_back=fall_back,
        )

    def notes(self) -> list[str]:
        if self.method in (None, Method.AUTO, Method.PATTERN):
            return []
        return [f"there is no {self.method} here: codes were looked for by their patterns"]


class CodeCandidate(WireModel):
    """A code. `offset`, the character at which it begins in its source as a reader sees that, is a key of ours."""

    code: str
    confidence: float
    method: Method
    source: str
    context: str | None
    offset: int

    @classmethod
    def of(cls, code: Code) -> Self:
        return cls(
            code=code.value,
            confidence=code.confidence,
            method=Method.PATTERN,
            source=code.source,
            context=code.context,
            offset=code.offset,
        )


class LinkCandidate(WireModel):
    """A link that does what a code does; ours."""

    url: str
    text: str
    source: str
    offset: int | None

    @classmethod
    def of(cls, link: OneTimeLink) -> Self:
        return cls(url=link.url, text=link.text, source=link.source, offset=link.offset)


class ExtractCodesResult(WireModel):
    """Codes, the likeliest first. `links`, links for one moment, are ours."""

    found: bool
    code: str | None
    method_used: Method | None
    candidates: list[CodeCandidate]
    warnings: list[str]
    links: list[LinkCandidate]

    @classmethod
    def of(cls, found: FoundCodes, notes: Sequence[str] = ()) -> Self:
        return cls(
            found=bool(found.codes),
            code=found.codes[0].value if found.codes else None,
            method_used=Method.PATTERN,
            candidates=[CodeCandidate.of(code) for code in found.codes],
            warnings=[*notes, *found.notes],
            links=[LinkCandidate.of(link) for link in found.links],
        )


# --- matches, parts, lines, links --------------------------------------------------------------------------------


class ContentMatchOptions(WireModel):
    pattern: Text


class EmailContentMatchResult(WireModel):
    """The whole match first, then its groups; nothing when there is none."""

    pattern: str
    matches: list[str]


class ContentPartQuery(QueryModel):
    content_type: Text
    strict: bool = False
    index: int = Field(0, ge=0, le=10_000)


class EmailContentPartResult(WireModel):
    content: str | None

    @classmethod
    def of(cls, part: PartContent) -> Self:
        """Text as it is, anything else in Base64."""
        return cls(content=base64.b64encode(part.content).decode("ascii") if part.text is None else part.text)


class TextLinesQuery(QueryModel):
    decode_html_entities: bool = True
    line_separator: Text = Field("\n", max_length=16)


class EmailTextLinesResult(WireModel):
    lines: list[str]
    body: str

    @classmethod
    def of(cls, lines: list[str], separator: str = "\n") -> Self:
        return cls(lines=lines, body=separator.join(lines))


class EmailLinksResult(WireModel):
    """Links as they are written in `body`, the email's HTML."""

    links: list[str]
    body: str


# --- showing -----------------------------------------------------------------------------------------------------


class PreviewQuery(QueryModel):
    replace_cid_images: bool = False
    link_behavior: LinkBehaviour = LinkBehaviour.PRESERVE


class EmailPreviewHtmlDto(WireModel):
    subject: str | None
    html: str
    link_behavior: LinkBehaviour


class EmailPreviewUrls(WireModel):
    raw_smtp_message_url: str
    plain_html_body_url: str
    origin: str

    @classmethod
    def of(cls, origin: str, path: str) -> Self:
        """For what lies at `path` of the API at `origin`. They hold no key: who follows them must have one."""
        return cls(
            raw_smtp_message_url=f"{origin}{path}/raw", plain_html_body_url=f"{origin}{path}/html", origin=origin
        )


class EmailSignature(WireModel):
    body: str
    source: str
    marker: str | None
    detection_type: SignatureKind

    @classmethod
    def of(cls, found: FoundSignature) -> Self:
        return cls(body=found.body, source=found.source, marker=found.marker, detection_type=found.kind)


class EmailSignatureParseResult(WireModel):
    present: bool
    signature: EmailSignature | None

    @classmethod
    def of(cls, found: FoundSignature | None) -> Self:
        return cls(present=found is not None, signature=None if found is None else EmailSignature.of(found))


# --- judging -----------------------------------------------------------------------------------------------------


class ValidationMessage(WireModel):
    line_number: int
    message: str | None

    @classmethod
    def of(cls, flaw: Flaw) -> Self:
        return cls(line_number=flaw.line, message=flaw.message)


class HTMLValidationResult(WireModel):
    is_valid: bool
    infos: list[ValidationMessage]
    errors: list[ValidationMessage]
    warnings: list[ValidationMessage]

    @classmethod
    def of(cls, flaws: Sequence[Flaw]) -> Self:
        def those(severity: Severity) -> list[ValidationMessage]:
            return [ValidationMessage.of(flaw) for flaw in flaws if flaw.severity is severity]

        return cls(
            is_valid=is_valid(flaws),
            infos=those(Severity.INFO),
            errors=those(Severity.ERROR),
            warnings=those(Severity.WARNING),
        )


class ValidationDto(WireModel):
    email_id: UUID
    html: HTMLValidationResult | None


class Weight(StrEnum):
    """How bad an issue is."""

    WARNING = "Warning"
    ERROR = "Error"


class _Issue(WireModel):
    url: str
    response_status: int | None = None
    severity: Weight
    message: str

    @classmethod
    def of(cls, issue: Issue) -> Self:
        weight = Weight.ERROR if issue.severity is Severity.ERROR else Weight.WARNING
        return cls(url=issue.url, severity=weight, message=issue.message)


class LinkIssue(_Issue):
    pass


class ImageIssue(_Issue):
    pass


class SpellingIssue(WireModel):
    group: str
    suggestion: str
    severity: Weight
    message: str


class CheckEmailBodyResults(WireModel):
    """`offline`, a key of ours, says that no server was asked: a link without an issue may still be dead."""

    has_issues: bool
    link_issues: list[LinkIssue]
    image_issues: list[ImageIssue]
    spelling_issues: list[SpellingIssue]
    offline: bool = True

    @classmethod
    def of(cls, check: BodyCheck) -> Self:
        return cls(
            has_issues=bool(check.links or check.images),
            link_issues=[LinkIssue.of(issue) for issue in check.links],
            image_issues=[ImageIssue.of(issue) for issue in check.images],
            spelling_issues=[],
        )


# --- flags -------------------------------------------------------------------------------------------------------


class FlagOperation(StrEnum):
    SET_FLAGS = "SET_FLAGS"
    ADD_FLAGS = "ADD_FLAGS"
    REMOVE_FLAGS = "REMOVE_FLAGS"


class ImapFlagOperationOptions(WireModel):
    flag_operation: FlagOperation
    flags: list[Text]

    def read(self) -> bool | None:
        """What this makes of the read state (`\\Seen`, RFC 3501 §2.3.2); None when it leaves it alone."""
        seen = any(flag.strip().lower() in ("\\seen", "seen") for flag in self.flags)
        match self.flag_operation:
            case FlagOperation.SET_FLAGS:
                return seen
            case FlagOperation.ADD_FLAGS:
                return True if seen else None
            case _:
                return False if seen else None

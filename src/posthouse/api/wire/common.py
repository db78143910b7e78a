"""What every word on the wire has in common: camelCase names, moments, pages, and how an error looks.

The wire is a costume. Classes here and beside know MailSlurp's names and types and nothing else: `of(...)`
dresses a word of ours, `to_domain()` undresses one of theirs; ids that come in are ours already. Every key of an
answer is always there, null when there is nothing to say; keys that we don't know in a request are ignored.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from posthouse.model import values
from posthouse.model.values import Slice, Sort

LARGEST_PAGE = 100
INT32 = 2**31 - 1


def format_moment(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, with a `Z`: the form that every client reads."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# A client that leaves the "+" of an offset unescaped in a query string sends us a space.
_LOST_PLUS = re.compile(r"(T\d{2}:\d{2}\S*) (\d{2}:?\d{2})$", re.IGNORECASE)


def parse_moment(value: object) -> datetime:
    """The moment that a client means, in UTC; one without a zone is taken as UTC. Raises ValueError."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value.strip()))
        except ValueError:
            raise ValueError("not an ISO 8601 date and time, such as 2026-11-01T10:00:00Z") from None
    if not isinstance(value, datetime):
        raise ValueError("dates are ISO 8601 strings")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("beyond the years 1 to 9999") from None


_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x1f\x7f\ud800-\udfff]")


def _as_text(text: str) -> str:
    if _UNWRITABLE.search(text):
        raise ValueError("may not hold NUL characters or halves of surrogate pairs")
    return text


def is_one_line(text: str) -> bool:
    """Whether `text` can be written in UTF-8 and holds no control character."""
    return _CONTROL.search(text) is None


def _on_one_line(text: str) -> str:
    if not is_one_line(text):
        raise ValueError("may not hold line breaks or other control characters")
    return text


Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    PlainSerializer(format_moment, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time: any ISO 8601 form comes in, milliseconds and `Z` go out."""

Text = Annotated[str, AfterValidator(_as_text)]
"""A text from a client. No database of ours can hold a NUL, and no UTF-8 half a surrogate pair."""

Line = Annotated[str, AfterValidator(_on_one_line)]
"""A text from a client that ends up in a header, a command or a list, where a line break is an attack."""


def _address(text: str) -> str:
    if "@" not in text.strip("@"):
        raise ValueError("must be an email address")
    return text.strip()


EmailAddress = Annotated[Line, Field(max_length=320), AfterValidator(_address)]
"""Something that may be an address: what a server makes of it is for the server to say."""


_UNUSUAL = {"from_": "from", "is_html": "isHTML", "body_md5_hash": "bodyMD5Hash"}


def wire_name(field: str) -> str:
    """What a field of ours is called on the wire: its name in camelCase, but for three that break the rule."""
    return _UNUSUAL.get(field) or to_camel(field)


class WireModel(BaseModel):
    """A JSON object as the clients know it: `inbox_id` here is `inboxId` there."""

    model_config = ConfigDict(
        alias_generator=wire_name,
        populate_by_name=True,
        serialize_by_alias=True,
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
    )


class QueryModel(WireModel):
    """A query string. A parameter without a value counts as absent: JavaScript clients send an empty list as
    `inboxId=`."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value not in ("", [], [""])}


class InOrderQuery(QueryModel):
    """Which page of a list, in which order of creation."""

    page: int = Field(0, ge=0, le=INT32)
    size: int = Field(20, ge=1, le=LARGEST_PAGE)
    sort: Sort = Sort.ASC

    def slice(self) -> Slice:
        return Slice(page=self.page, size=self.size, sort=self.sort)


class PageQuery(InOrderQuery):
    """As well, created between which moments (both exclusive)."""

    since: Moment | None = None
    before: Moment | None = None

    def slice(self) -> Slice:
        return Slice(page=self.page, size=self.size, sort=self.sort, since=self.since, before=self.before)


class SortObject(WireModel):
    """Spring's words for an order."""

    sorted: bool = True
    unsorted: bool = False
    empty: bool = False


class PageableObject(WireModel):
    """Spring's words for what was asked."""

    offset: int
    page_number: int
    page_size: int
    paged: bool = True
    unpaged: bool = False
    sort: SortObject = SortObject()


W = TypeVar("W", bound="WireModel | str")
D = TypeVar("D")


class SpringPage(WireModel, Generic[W]):
    """A page as Spring Data writes it, which is what the clients expect."""

    content: list[W]
    pageable: PageableObject
    sort: SortObject = SortObject()
    total_pages: int
    total_elements: int
    size: int
    number: int
    number_of_elements: int
    first: bool
    last: bool
    empty: bool

    @classmethod
    def of(cls, page: values.Page[D], dress: Callable[[D], W]) -> Self:
        asked = page.asked
        pages = -(-page.total // asked.size)
        return cls(
            content=[dress(item) for item in page.items],
            pageable=PageableObject(offset=asked.offset, page_number=asked.page, page_size=asked.size),
            total_pages=pages,
            total_elements=page.total,
            size=asked.size,
            number=asked.page,
            number_of_elements=len(page.items),
            first=asked.page == 0,
            last=asked.page + 1 >= pages,
            empty=not page.items,
        )


class OptionalResult(WireModel, Generic[W]):
    """Something that may be absent without that being an error."""

    present: bool
    result: W | None

    @classmethod
    def holding(cls, result: W | None) -> Self:
        return cls(present=result is not None, result=result)


class CountDto(WireModel):
    total_elements: int


class ErrorBody(WireModel):
    """Every failure looks like this. `message` says what to change; the status is repeated for those clients
    that throw the body alone."""

    message: str
    status: int
    error_code: str
    timestamp: Moment
    path: str

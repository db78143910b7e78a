"""What may be waited for, as MailSlurp's clients say it. `after` is a word of ours: a mark that was made before."""

import base64
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import INT32, Line, Moment, QueryModel, Text, WireModel
from posthouse.model.errors import Invalid
from posthouse.model.mail import Criteria, Mark, Match, Place, Should
from posthouse.model.values import InboxId, Sort
from posthouse.services.waiting import ANYTHING, DEFAULT_DELAY, DEFAULT_TIMEOUT, Wish

INT64 = 2**63 - 1
MOST_MATCHES = 50
_LONGEST = timedelta(days=1)  # whatever is asked; services know a shorter one
_MARK = "m1"


def milliseconds(number: int | None, default: timedelta) -> timedelta:
    """A time that a client gives, as far as it makes sense."""
    return default if number is None else min(_LONGEST, timedelta(milliseconds=min(number, INT32)))


# --- marks -------------------------------------------------------------------------------------------------------


class MarkDto(WireModel):
    """A place in an inbox: `after` it comes what had not been there when it was made. Clients look into none."""

    mark: str

    @classmethod
    def of(cls, mark: Mark) -> Self:
        content = mark.inbox_id.bytes + mark.position.to_bytes(8, "big")
        return cls(mark=f"{_MARK}{base64.urlsafe_b64encode(content).decode()}")


def parse_mark(text: str | None, *, where: str = "after") -> Mark | None:
    """The mark that a client has kept. Raises Invalid, which names the key where it stood."""
    if text is None:
        return None
    try:
        content = base64.b64decode(text.removeprefix(_MARK).encode(), altchars=b"-_", validate=True)
    except ValueError:
        content = b""
    if not text.startswith(_MARK) or len(content) != 24:
        raise Invalid(f"{where}: this is no mark: POST /inboxes/{{inboxId}}/mark makes one")
    return Mark(InboxId(UUID(bytes=content[:16])), int.from_bytes(content[16:], "big"))


# --- criteria ----------------------------------------------------------------------------------------------------


class MatchField(StrEnum):
    SUBJECT = "SUBJECT"
    TO = "TO"
    BCC = "BCC"
    CC = "CC"
    FROM = "FROM"
    HEADERS = "HEADERS"


class MatchShould(StrEnum):
    MATCH = "MATCH"
    CONTAIN = "CONTAIN"
    EQUAL = "EQUAL"


class MatchOption(WireModel):
    """What a field of an email should be like. MATCH is a regular expression (RE2), found anywhere in it."""

    field: MatchField
    should: MatchShould
    value: Text = Field(min_length=1, max_length=10_000)

    def to_domain(self) -> Match:
        return Match(Place(self.field), Should(self.should), self.value)


class ConditionKind(StrEnum):
    HAS_ATTACHMENTS = "HAS_ATTACHMENTS"


class ConditionValue(StrEnum):
    TRUE = "TRUE"
    FALSE = "FALSE"


class ConditionOption(WireModel):
    condition: ConditionKind
    value: ConditionValue


class AIMessageMatchOptions(WireModel):
    """Refused: nothing here is judged by a language model."""

    prompt: Text | None = None
    ai_options: Any = None


class MatchOptions(WireModel):
    """All of it must hold."""

    matches: list[MatchOption] | None = Field(default=None, max_length=MOST_MATCHES)
    conditions: list[ConditionOption] | None = Field(default=None, max_length=MOST_MATCHES)
    ai: AIMessageMatchOptions | None = None

    def criteria(self) -> Criteria:
        return criteria_of(self.matches, self.conditions, self.ai)


def criteria_of(
    matches: list[MatchOption] | None,
    conditions: list[ConditionOption] | None = None,
    ai: AIMessageMatchOptions | None = None,
) -> Criteria:
    if ai is not None:
        raise Invalid("ai: emails can't be matched by a language model here")
    return Criteria(
        matches=tuple(match.to_domain() for match in matches or ()),
        attachments=tuple(condition.value is ConditionValue.TRUE for condition in conditions or ()),
    )


# --- waits -------------------------------------------------------------------------------------------------------


class _WaitQuery(QueryModel):
    timeout: int | None = Field(default=None, ge=0, le=INT64)
    unread_only: bool = False
    before: Moment | None = None
    since: Moment | None = None
    sort: Sort | None = None
    delay: int | None = Field(default=None, ge=0, le=INT64)
    after: Line | None = None

    def _wish(
        self,
        inbox_id: InboxId | None,
        count: int = 1,
        *,
        sort: Sort = Sort.ASC,
        criteria: Criteria = ANYTHING,
    ) -> Wish:
        return Wish(
            inbox_id=inbox_id,
            count=count,
            criteria=criteria,
            unread_only=self.unread_only,
            since=self.since,
            before=self.before,
            sort=self.sort or sort,
            after=parse_mark(self.after),
            timeout=milliseconds(self.timeout, DEFAULT_TIMEOUT),
            delay=milliseconds(self.delay, DEFAULT_DELAY),
        )


class WaitForCountQuery(_WaitQuery):
    inbox_id: InboxId
    count: int = Field(ge=1, le=100)

    def to_domain(self, options: MatchOptions | None = None) -> Wish:
        return self._wish(self.inbox_id, self.count, criteria=options.criteria() if options else ANYTHING)


class WaitForLatestQuery(_WaitQuery):
    """The newest, if nothing else is said."""

    inbox_id: InboxId | None = None

    def to_domain(self) -> Wish:
        return self._wish(self.inbox_id, sort=Sort.DESC)


class WaitForFirstQuery(_WaitQuery):
    inbox_id: InboxId

    def to_domain(self, options: MatchOptions) -> Wish:
        return self._wish(self.inbox_id, criteria=options.criteria())


class WaitForNthQuery(_WaitQuery):
    """`index` begins with 0."""

    inbox_id: InboxId | None = None
    index: int = Field(0, ge=0, le=99)

    def to_domain(self) -> Wish:
        return self._wish(self.inbox_id, self.index + 1)


class CountType(StrEnum):
    EXACTLY = "EXACTLY"
    ATLEAST = "ATLEAST"


class WaitForConditions(WireModel):
    inbox_id: InboxId
    count: int | None = Field(default=None, ge=1, le=10_000)
    delay_timeout: int | None = Field(default=None, ge=0, le=INT64)
    timeout: int = Field(ge=0, le=INT64)
    unread_only: bool | None = None
    count_type: CountType | None = None
    matches: list[MatchOption] | None = Field(default=None, max_length=MOST_MATCHES)
    sort_direction: Sort | None = None
    since: Moment | None = None
    before: Moment | None = None
    ai: AIMessageMatchOptions | None = None
    after: Line | None = None

    def to_domain(self) -> Wish:
        return Wish(
            inbox_id=self.inbox_id,
            count=self.count or 1,
            exactly=self.count_type is CountType.EXACTLY,
            criteria=criteria_of(self.matches, ai=self.ai),
            unread_only=bool(self.unread_only),
            since=self.since,
            before=self.before,
            sort=self.sort_direction or Sort.ASC,
            after=parse_mark(self.after),
            timeout=milliseconds(self.timeout, DEFAULT_TIMEOUT),
            delay=milliseconds(self.delay_timeout, DEFAULT_DELAY),
        )


class LatestInInboxQuery(QueryModel):
    inbox_id: InboxId
    timeout_millis: int = Field(ge=0, le=INT64)

    def to_domain(self) -> Wish:
        timeout = milliseconds(self.timeout_millis, DEFAULT_TIMEOUT)
        return Wish(inbox_id=self.inbox_id, sort=Sort.DESC, timeout=timeout)


# --- that nothing comes ------------------------------------------------------------------------------------------


class AssertNoneOptions(MatchOptions):
    """What must not arrive for `timeout` milliseconds, from now on, or from the mark `after`."""

    timeout: int = Field(default=5_000, ge=0, le=INT64)
    after: Line | None = None

    def to_domain(self, inbox_id: InboxId) -> Wish:
        return Wish(
            inbox_id=inbox_id,
            criteria=self.criteria(),
            after=parse_mark(self.after),
            timeout=milliseconds(self.timeout, DEFAULT_TIMEOUT),
        )


class NothingCameDto(WireModel):
    """`freshAsOf` is when the mailbox was proved to hold nothing newer, after the time was over."""

    passed: bool
    fresh_as_of: Moment

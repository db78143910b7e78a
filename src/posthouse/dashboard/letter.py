"""The form for writing an email: what is typed into it, and what that means."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from starlette.datastructures import FormData, UploadFile

from posthouse.dashboard.typed import texts
from posthouse.dashboard.visit import Visitor
from posthouse.model.errors import Invalid, PosthouseError, TooLarge
from posthouse.model.mail import Outgoing
from posthouse.model.message import Address
from posthouse.services.attachments import NewUpload

_LONGEST_WAIT = timedelta(days=366)
_SPECIAL = frozenset('()<>[]:;@\\,."')  # RFC 5322 §3.2.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The form as it was filled in. `inbox` is whose address stands in `sender`; `about` is the email that is answered
    in the way of `answer`; `draft` is the kept draft that this comes from. The text is HTML where `html` says so.
    `at` is a wall clock's time, `offset` how many minutes UTC is ahead of it."""

    key: str
    inbox: str = ""
    sender: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    at: str = ""
    offset: str = ""
    about: str = ""
    answer: str = ""
    draft: str = ""
    html: str = ""
    attachments: tuple[str, ...] = ()

    @classmethod
    def of(cls, form: FormData) -> "Letter":
        said = texts(form, (one.name for one in fields(cls) if one.name != "attachments"))
        said["key"] = said["key"] or str(uuid4())
        kept = tuple(one for one in form.getlist("attachments") if isinstance(one, str))
        return cls(**said, attachments=kept)


@dataclass(slots=True)
class Problems:
    """What is wrong, by the field's name; '' is the whole."""

    of: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, error: PosthouseError) -> None:
        self.of.setdefault(name, error.message)


async def with_files(visit: Visitor, letter: Letter, files: Sequence[object], problems: Problems) -> Letter:
    """The letter with what was chosen to be sent along, kept."""
    kept = list(letter.attachments)
    for file in files:
        if not isinstance(file, UploadFile) or not file.filename:
            continue  # nothing was chosen
        new = NewUpload(
            content=await file.read(), name=file.filename, content_type=file.content_type, key=f"form {letter.key}"
        )
        try:
            kept.append((await visit.services.attachments.upload(visit.account.id, new)).id)
        except (Invalid, TooLarge) as error:
            problems.add("file", error)
    return replace(letter, attachments=tuple(dict.fromkeys(kept)))


def check_people(visit: Visitor, letter: Letter, problems: Problems) -> None:
    count = 0
    for name in ("to", "cc", "bcc"):
        try:
            count += len(visit.services.sending.addresses(getattr(letter, name)))
        except Invalid as error:
            problems.add(name, error)
    if not count and not problems.of:
        problems.add("to", Invalid("an email needs somebody to go to"))


def moment_of(letter: Letter, problems: Problems) -> datetime | None:
    """When it is to be sent; None is now."""
    if not letter.at:
        return None
    try:
        wall = datetime.fromisoformat(letter.at).replace(tzinfo=UTC)
        at = wall + timedelta(minutes=int(letter.offset or 0))
    except (ValueError, OverflowError):
        problems.add("at", Invalid("this is not a date with a time"))
        return None
    if at - datetime.now(UTC) > _LONGEST_WAIT:
        problems.add("at", Invalid("this is more than a year away"))
    return at


def outgoing(letter: Letter) -> Outgoing:
    """What is asked for by it."""
    return Outgoing(
        to=_people(letter.to),
        cc=_people(letter.cc),
        bcc=_people(letter.bcc),
        subject=one_line(letter.subject),
        body=letter.text.replace("\r\n", "\n"),
        is_html=bool(letter.html),
        attachments=letter.attachments,
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


def _people(text: str) -> tuple[str, ...]:
    return (text,) if text.strip() else ()


def typed(person: Address) -> str:
    """Somebody as he is typed into an address field, in quotes where that is necessary."""
    if not person.name:
        return person.email
    quoted = person.name.replace("\\", "\\\\").replace('"', '\\"')
    name = f'"{quoted}"' if _SPECIAL.intersection(person.name) else person.name
    return f"{name} <{person.email}>"

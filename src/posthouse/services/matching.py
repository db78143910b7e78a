"""Whether an email is what somebody waits for, and if not, why not."""

from collections.abc import Callable, Iterable, Sequence

from posthouse.model.mail import Criteria, Email, Match, Place, Should
from posthouse.model.message import Address
from posthouse.services.patterns import Expression, shortened

Headers = Sequence[tuple[str, str]]
Test = Callable[[str], bool]


class Matcher:
    """Criteria, ready to be tried. Raises Invalid for a regular expression that is none, or too large a one."""

    def __init__(self, criteria: Criteria) -> None:
        self._attachments = criteria.attachments
        self._tests = [(match, _test(match)) for match in criteria.matches]
        self.needs_headers = any(match.place is Place.HEADERS for match in criteria.matches)
        self.may_take_long = any(match.should is Should.MATCH for match in criteria.matches)

    def __bool__(self) -> bool:
        return bool(self._tests or self._attachments)

    def complaint(self, email: Email, headers: Headers = ()) -> str | None:
        """The first of the criteria that the email does not meet, in words; None when it meets them all."""
        for match, test in self._tests:
            if not any(map(test, _texts(match, email, headers))):
                return f"failed {shortened(str(match))}{_instead(match.place, email)}"
        for wanted in self._attachments:
            if bool(email.attachment_ids) is not wanted:
                return "has attachments" if email.attachment_ids else "has no attachments"
        return None


def named(email: Email) -> str:
    """An email as an explanation names it: by its subject."""
    return f'"{shortened(email.subject)}"'


def _test(match: Match) -> Test:
    wanted = match.value
    if match.should is Should.MATCH:
        return Expression(wanted).found_in
    if match.place is Place.SUBJECT:
        return wanted.__eq__ if match.should is Should.EQUAL else lambda text: wanted in text
    folded = wanted.strip().casefold() if match.should is Should.EQUAL else wanted.casefold()
    if match.should is Should.EQUAL:
        return lambda text: text.strip().casefold() == folded
    return lambda text: folded in text.casefold()


def _texts(match: Match, email: Email, headers: Headers) -> Iterable[str]:
    match match.place:
        case Place.SUBJECT:
            return (email.subject,)
        case Place.HEADERS:
            return (f"{name}: {value}" for name, value in headers)
        case place:
            addresses = _addresses(place, email)
    if match.should is Should.EQUAL:
        return (address.email for address in addresses)
    return (text for address in addresses for text in (address.email, str(address)))


def _addresses(place: Place, email: Email) -> Sequence[Address]:
    match place:
        case Place.FROM:
            return (email.sender,) if email.sender else ()
        case Place.TO:
            return email.to
        case Place.CC:
            return email.cc
        case _:
            return email.bcc


def _instead(place: Place, email: Email) -> str:
    """What is there, where the subject alone does not tell."""
    if place in (Place.SUBJECT, Place.HEADERS):
        return ""
    there = ", ".join(address.email for address in _addresses(place, email))
    return f" (it is {shortened(there)})" if there else " (it is empty)"

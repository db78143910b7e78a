"""What an email is like, in the words of those who wait for it."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model.errors import Invalid
from posthouse.model.mail import Criteria, Email, Match, Place, Should, Stored
from posthouse.model.message import Address
from posthouse.model.values import AccountId, EmailId, InboxId
from posthouse.services.matching import Matcher
from posthouse.services.patterns import LONGEST_PATTERN

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMAIL = Email(
    id=EmailId(UUID(int=1)),
    account_id=AccountId(UUID(int=2)),
    inbox_id=InboxId(UUID(int=3)),
    created_at=NOW,
    updated_at=NOW,
    read=False,
    favourite=False,
    sender=Address("Zoë Müller", "Zoe@Example.org"),
    to=(Address("", "ann@example.org"), Address("Bob", "bob@example.org")),
    cc=(Address("Carl", "carl@example.org"),),
    bcc=(),
    reply_to=(),
    subject="Welcome to the Straße",
    message_id="1@example.org",
    in_reply_to="",
    sent_at=None,
    size=1,
    excerpt="",
    is_html=False,
    charset="utf-8",
    content_types=(),
    attachment_ids=(),
    folder=None,
    external_id=None,
    problem=None,
    stored=Stored(pack="1", offset=0, length=1, size=1),
)
HEADERS = (("X-Token", "AbC-17"), ("Subject", "Welcome to the Straße"), ("Received", "from there"))


def meets(place: str, should: str, value: str, email: Email = EMAIL) -> bool:
    matcher = Matcher(Criteria(matches=(Match(Place(place), Should(should), value),)))
    return matcher.complaint(email, HEADERS if matcher.needs_headers else ()) is None


@pytest.mark.parametrize(
    ("place", "should", "value", "met"),
    [
        ("SUBJECT", "EQUAL", "Welcome to the Straße", True),
        ("SUBJECT", "EQUAL", "welcome to the straße", False),
        ("SUBJECT", "EQUAL", "Welcome", False),
        ("SUBJECT", "CONTAIN", "to the", True),
        ("SUBJECT", "CONTAIN", "To The", False),
        ("SUBJECT", "MATCH", "^Welcome .* Stra.e$", True),
        ("SUBJECT", "MATCH", "welcome", False),
        ("SUBJECT", "MATCH", "(?i)welcome", True),
        ("FROM", "EQUAL", "zoe@example.ORG", True),
        ("FROM", "EQUAL", " zoe@example.org ", True),
        ("FROM", "EQUAL", "Zoë Müller", False),
        ("FROM", "CONTAIN", "MÜLLER", True),
        ("FROM", "CONTAIN", "@example.org", True),
        ("FROM", "MATCH", "^Zoe@Example[.]org$", True),
        ("FROM", "MATCH", "^Zoë .*<Zoe@", True),
        ("TO", "EQUAL", "bob@example.org", True),
        ("TO", "EQUAL", "carl@example.org", False),
        ("TO", "CONTAIN", "bob <", True),
        ("CC", "EQUAL", "carl@example.org", True),
        ("BCC", "CONTAIN", "@", False),
        ("BCC", "MATCH", ".*", False),
        ("HEADERS", "EQUAL", "x-token: abc-17", True),
        ("HEADERS", "CONTAIN", "received: from", True),
        ("HEADERS", "CONTAIN", "X-Token: 17", False),
        ("HEADERS", "MATCH", r"^X-Token: \w+-\d+$", True),
        ("HEADERS", "MATCH", "^x-token", False),
    ],
)
def test_a_match_looks_in_its_place_and_nowhere_else(place: str, should: str, value: str, met: bool) -> None:
    assert meets(place, should, value) is met


def test_an_email_without_a_sender_is_from_nobody() -> None:
    bare = replace(EMAIL, sender=None)
    assert not meets("FROM", "CONTAIN", "a", bare)
    assert not meets("FROM", "MATCH", "", bare)


def test_all_criteria_must_hold() -> None:
    right = Match(Place.SUBJECT, Should.CONTAIN, "Welcome")
    wrong = Match(Place.TO, Should.EQUAL, "dora@example.org")
    assert Matcher(Criteria(matches=(right, right))).complaint(EMAIL) is None
    complaint = Matcher(Criteria(matches=(right, wrong))).complaint(EMAIL)
    assert complaint == 'failed TO EQUAL "dora@example.org" (it is ann@example.org, bob@example.org)'


def test_attachments_may_be_wanted_or_not() -> None:
    attached = replace(EMAIL, attachment_ids=("a",))
    assert Matcher(Criteria(attachments=(True,))).complaint(EMAIL) == "has no attachments"
    assert Matcher(Criteria(attachments=(True,))).complaint(attached) is None
    assert Matcher(Criteria(attachments=(False,))).complaint(attached) == "has attachments"
    assert Matcher(Criteria(attachments=(False, True))).complaint(attached) is not None


@pytest.mark.parametrize("pattern", ["(", "[a", r"(a)\1", "(?=a)", "a{2000}", "x" * (LONGEST_PATTERN + 1), "\ud800"])
def test_an_expression_that_can_t_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match="regular expression"):
        Matcher(Criteria(matches=(Match(Place.SUBJECT, Should.MATCH, pattern),)))


@pytest.mark.parametrize("pattern", [".{0,900}x.{0,900}y", "((((a?){20}){20}){20}){20}", r"(\p{L}{1,500})+"])
def test_an_expression_that_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match=r"too large|can't be used"):
        Matcher(Criteria(matches=(Match(Place.SUBJECT, Should.MATCH, pattern),)))


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*a){12}$", "([a-z]+)*[0-9]", "(x+x+)+y"])
def test_what_makes_other_engines_run_for_years_is_nothing_here(pattern: str) -> None:
    for text in ("a" * 100_000 + "!", "x" * 100_000):
        assert not meets("SUBJECT", "MATCH", pattern, replace(EMAIL, subject=text))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=60))
def test_any_text_may_be_asked_for_in_any_text(value: str, subject: str) -> None:
    """Also half surrogate pairs and NULs, which mail brings."""
    email = replace(EMAIL, subject=subject, sender=Address(subject, subject))
    assert meets("SUBJECT", "CONTAIN", value, email) == (value in subject)
    assert meets("SUBJECT", "EQUAL", value, email) == (value == subject)
    assert meets("FROM", "CONTAIN", subject, email)
    assert meets("FROM", "EQUAL", subject, email)
    with suppress(Invalid):
        meets("SUBJECT", "MATCH", value, email)

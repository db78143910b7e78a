"""Moments, queries and pages, as the clients write and read them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posthouse.api.wire.common import CountDto, PageQuery, SpringPage, format_moment, parse_moment
from posthouse.api.wire.connectors import SyncQuery
from posthouse.api.wire.inboxes import CreateInboxQuery
from posthouse.api.wire.mail import EmailListQuery
from posthouse.model.values import Page, Slice, Sort
from posthouse.services.inboxes import NewInbox

TEN = datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-01T10:00:00Z",
        "2026-11-01T10:00:00.000Z",
        "2026-11-01T10:00:00",
        "2026-11-01T10:00:00+00:00",
        "2026-11-01T10:00:00 00:00",
        "2026-11-01T11:00:00 01:00",
        "2026-11-01T11:00:00.000 0100",
        "2026-11-01T04:30:00-05:30",
        "2026-11-01 10:00",
        " 2026-11-01T10:00:00Z ",
    ],
)
def test_a_moment_is_read_in_every_form_that_clients_send(written: str) -> None:
    assert parse_moment(written) == TEN


@pytest.mark.parametrize("written", ["yesterday", "", "1761991200000", 1761991200000, True, "2026-13-01"])
def test_what_is_no_moment_is_refused(written: object) -> None:
    with pytest.raises(ValueError):
        parse_moment(written)


def test_a_moment_outside_of_our_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="years"):
        parse_moment("0001-01-01T00:00:00+14:00")


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    paris = timezone(timedelta(hours=1))
    assert format_moment(datetime(2026, 11, 1, 11, 0, 0, 123999, tzinfo=paris)) == "2026-11-01T10:00:00.123Z"


@settings(max_examples=100, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_comes_back_as_it_was_but_for_its_microseconds(moment: datetime) -> None:
    back = parse_moment(format_moment(moment))
    assert back == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_moment(text).tzinfo is UTC


@pytest.fixture
def asked() -> dict[str, Any]:
    return {}


@pytest.fixture
def client(asked: dict[str, Any]) -> TestClient:
    """An API of nothing but queries, to see what arrives when FastAPI has read them."""
    app = FastAPI()

    @app.get("/emails")
    def emails(query: Annotated[EmailListQuery, Query()]) -> None:
        asked["query"] = query

    @app.get("/sync")
    def sync(query: Annotated[SyncQuery, Query()]) -> None:
        asked["query"] = query

    @app.get("/inbox")
    def inbox(query: Annotated[CreateInboxQuery, Query()]) -> None:
        asked["query"] = query

    return TestClient(app)


def test_a_query_without_anything_has_the_defaults_of_the_contract(client: TestClient, asked: Any) -> None:
    assert client.get("/emails").status_code == 200
    assert asked["query"].slice() == Slice(page=0, size=20, sort=Sort.ASC)
    assert asked["query"].to_domain().inbox_ids == ()


def test_a_query_of_the_python_client_is_read(client: TestClient, asked: Any) -> None:
    one, two = UUID(int=1), UUID(int=2)
    url = f"/emails?inboxId={one}&inboxId={two}&page=2&size=10&sort=DESC&unreadOnly=True&syncConnectors=False"
    assert client.get(url + "&since=2026-11-01T10%3A00%3A00").status_code == 200
    query = asked["query"].to_domain()
    assert query.inbox_ids == (one, two)
    assert query.unread_only
    assert query.slice == Slice(page=2, size=10, sort=Sort.DESC, since=TEN)


def test_a_query_of_the_javascript_client_is_read(client: TestClient, asked: Any) -> None:
    url = "/emails?inboxId=&page=0&size=10&sort=DESC&unreadOnly=true&searchFilter=&since=2026-11-01T10:00:00.000Z"
    assert client.get(url).status_code == 200
    query = asked["query"].to_domain()
    assert query.inbox_ids == ()
    assert query.unread_only
    assert query.slice.since == TEN


def test_a_plus_that_became_a_space_is_a_plus(client: TestClient, asked: Any) -> None:
    assert client.get("/emails?since=2026-11-01T11:00:00+01:00").status_code == 200
    assert asked["query"].since == TEN


def test_empty_values_are_absent_whatever_their_type(client: TestClient, asked: Any) -> None:
    url = "/inbox?emailAddress=&tags=&name=&expiresAt=&expiresIn=&inboxType=&favourite=&domainId="
    assert client.get(url).status_code == 200
    assert asked["query"].to_domain() == NewInbox()


def test_lists_are_repeated_keys(client: TestClient, asked: Any) -> None:
    assert client.get("/inbox?tags=a&tags=b&expiresIn=1000").status_code == 200
    assert asked["query"].tags == ["a", "b"]
    assert asked["query"].to_domain().expires_in == timedelta(seconds=1)


def test_a_sync_may_be_told_a_day_a_folder_and_to_keep_its_log(client: TestClient, asked: Any) -> None:
    assert client.get("/sync?since=2026-11-01T10%3A00%3A00&folder=INBOX%2FSub+A&logging=True").status_code == 200
    assert asked["query"] == SyncQuery(since=TEN, folder="INBOX/Sub A", logging=True)


@pytest.mark.parametrize(
    "query", ["size=101", "size=0", "page=-1", "page=2147483648", "sort=UP", "since=soon", "unreadOnly=perhaps"]
)
def test_a_query_that_makes_no_sense_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/emails?{query}").status_code == 422


class Count(SpringPage[CountDto]):
    pass


def page(total: int, asked: Slice, on_it: int) -> dict[str, Any]:
    return Count.of(Page(tuple(range(on_it)), total, asked), lambda n: CountDto(total_elements=n)).model_dump()


def test_pages_are_counted_as_spring_counts_them() -> None:
    first = page(5, Slice(page=0, size=2), 2)
    last = page(5, Slice(page=2, size=2), 1)
    beyond = page(5, Slice(page=9, size=2), 0)
    none = page(0, Slice(), 0)
    keys = ("totalPages", "totalElements", "number", "numberOfElements", "first", "last", "empty")
    assert [first[key] for key in keys] == [3, 5, 0, 2, True, False, False]
    assert [last[key] for key in keys] == [3, 5, 2, 1, False, True, False]
    assert [beyond[key] for key in keys] == [3, 5, 9, 0, False, True, True]
    assert [none[key] for key in keys] == [0, 0, 0, 0, True, True, True]
    assert last["pageable"]["offset"] == 4


def test_a_word_of_the_wire_that_we_do_not_know_is_passed_over() -> None:
    assert PageQuery.model_validate({"page": 1, "colour": "red"}).page == 1


def test_what_is_wrong_is_told_without_what_was_given() -> None:
    with pytest.raises(ValidationError) as refusal:
        PageQuery.model_validate({"since": "tell-nobody"})
    assert "tell-nobody" not in str(refusal.value)

"""Small values: ids in order, secrets that stay secret, transcripts with bounds."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from posthouse.model.events import Transcript
from posthouse.model.values import Backoff, Secret, new_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_ids_made_later_are_greater_even_within_one_moment() -> None:
    ids = [new_id(NOW) for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 5000
    assert {id_.version for id_ in ids} == {7}
    assert all(id_.variant == "specified in RFC 4122" for id_ in ids)


def test_a_secret_prints_nowhere() -> None:
    secret = Secret("canary")
    shown = f"{secret} {secret!r} {[secret]}"
    assert "canary" not in shown
    assert secret.reveal() == "canary"
    assert secret == Secret("canary")
    assert secret != Secret("other")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_long_transcript_keeps_its_beginning_and_its_end() -> None:
    transcript = Transcript(head=3, tail=2)
    for number in range(1000):
        transcript.note(f"line {number}")
    assert transcript.lines == ["line 0", "line 1", "line 2", "(995 lines left out)", "line 998", "line 999"]


@pytest.mark.parametrize("before", [2, 5, 100])
def test_what_goes_on_day_and_night_is_taken_out_of_a_transcript(before: int) -> None:
    transcript = Transcript(head=3, tail=4)
    for number in range(before):
        transcript.note(f"line {number}")
    lines, count = transcript.lines, transcript.count
    for _ in range(2):
        transcript.note("NOOP")
        transcript.note("OK")
        transcript.forget_since(count)
        assert (transcript.lines[-2:], transcript.count) == (lines[-2:], count)
    transcript.note("news")
    assert transcript.since(count) == ["news"]


def test_a_transcript_holds_no_control_characters() -> None:
    transcript = Transcript()
    transcript.note("S: * OK \x1b[31mred\r\n* BAD")
    assert (
        transcript.text
        == "S: * OK \N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}* BAD"
    )


def test_pauses_grow_up_to_their_bound() -> None:
    backoff = Backoff(first=timedelta(seconds=5), most=timedelta(minutes=15))
    assert [backoff.pause(n).total_seconds() for n in (0, 1, 2, 3, 9, 10**6)] == [5, 5, 10, 20, 900, 900]

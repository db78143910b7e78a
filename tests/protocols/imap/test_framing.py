"""Bytes to whole responses, whatever the pieces and wherever the limits."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from posthouse.protocols.exchange import RemoteProtocolError
from posthouse.protocols.imap.framing import Framer, Limits, Spilled

SMALL = Limits(line=60, literal=50, response=100, literals=3, spill_over=20)


def framed(data, limits=SMALL, *, cut=(), spill=False):
    """All responses in `data`, fed in pieces that end at `cut`; the last may be an error's text."""
    framer = Framer(limits, (lambda size: io.BytesIO()) if spill else None)
    responses, at = [], 0
    try:
        for end in [*sorted(cut), len(data)]:
            framer.feed(data[at:end])
            at = end
            while (response := framer.response()) is not None:
                responses.append([part.file.read() if isinstance(part, Spilled) else part for part in response])
    except RemoteProtocolError as error:
        responses.append(str(error))
    return responses


def test_lines_and_literals_of_one_response_stay_together():
    assert framed(b"* 1 FETCH (BODY[] {3}\r\na\r\n UID 7)\r\nA1 OK done\r\n") == [
        [b"* 1 FETCH (BODY[] {3}", b"a\r\n", b" UID 7)"],
        [b"A1 OK done"],
    ]


def test_a_literal_may_hold_what_looks_like_an_answer():
    assert framed(b"* 1 FETCH (BODY[] {12}\r\nA1 OK fake\r\n)\r\n") == [
        [b"* 1 FETCH (BODY[] {12}", b"A1 OK fake\r\n", b")"]
    ]


def test_an_empty_literal_is_a_literal():
    assert framed(b"* LIST () NIL {0}\r\n\r\n") == [[b"* LIST () NIL {0}", b"", b""]]


@pytest.mark.parametrize("line", [b"* OK see {3}", b"A1 NO [ALERT] {3}", b"+ go on {3}", b"* bye {3}"])
def test_what_people_are_told_announces_no_literal(line):
    assert framed(line + b"\r\n* 2 EXISTS\r\n") == [[line], [b"* 2 EXISTS"]]


def test_nuls_before_a_response_and_empty_lines_are_dropped():
    assert framed(b"\0\0* OK\r\n\r\n\0\r\n* 1 EXISTS\r\n") == [[b"* OK"], [b"* 1 EXISTS"]]


def test_a_line_feed_alone_ends_no_line():
    assert framed(b"* OK a\nb\r\n") == [[b"* OK a\nb"]]


def test_a_line_may_be_as_long_as_the_limit_and_not_a_byte_longer():
    assert framed(b"x" * 60 + b"\r\n") == [[b"x" * 60]]
    assert framed(b"x" * 61 + b"\r\n") == ["the server sent a line of more than 60 bytes"]


def test_an_endless_line_is_refused_before_it_ends():
    assert framed(b"x" * 62) == ["the server sent a line of more than 60 bytes"]


def test_a_literal_may_be_as_big_as_the_limit_and_not_a_byte_bigger():
    assert framed(b"* X {50}\r\n" + b"y" * 50 + b"\r\n") == [[b"* X {50}", b"y" * 50, b""]]
    assert framed(b"* X {51}\r\n") == ["the server announced 51 bytes, more than our limit of 50"]


def test_an_absurd_announcement_is_refused_at_once():
    assert framed(b"* X {99999999999999999999}\r\n")[0].startswith("the server announced 99999999999999999999")


def test_a_response_may_be_as_big_as_its_limit_and_not_a_byte_bigger():
    whole = b"* X {40}\r\n" + b"y" * 40 + b" {%d}\r\n" + b"z" * 47
    assert len(framed(whole % 47 + b"\r\n")[0]) == 5
    assert framed(whole % 48) == ["the server sent a response of more than 100 bytes"]


def test_a_response_of_many_literals_is_refused():
    assert framed(b"* X" + b" {0}\r\n" * 4) == ["the server sent more than 3 literals at once"]


def test_the_limits_of_one_response_do_not_count_for_the_next():
    assert len(framed(b"* X {40}\r\n" + b"y" * 40 + b"\r\n" + b"* X {45}\r\n" + b"y" * 45 + b"\r\n")) == 2


def test_a_big_literal_is_written_to_a_file_as_it_comes():
    file, sizes = io.BytesIO(), []
    framer = Framer(SMALL, lambda size: sizes.append(size) or file)
    framer.feed(b"* 1 FETCH (BODY[] {21}\r\n0123456789")
    assert framer.response() is None
    assert sizes == [21]
    assert file.getvalue() == b"0123456789"
    framer.feed(b"0123456789!)\r\n")
    _, spilled, end = framer.response()
    assert (spilled.size, spilled.file.read(), end) == (21, b"0123456789" * 2 + b"!", b")")


def test_a_literal_no_bigger_than_the_threshold_stays_in_memory():
    assert framed(b"* X {20}\r\n" + b"y" * 20 + b"\r\n", spill=True) == [[b"* X {20}", b"y" * 20, b""]]
    framer = Framer(SMALL, lambda size: pytest.fail("no file is needed"))
    framer.feed(b"* X {20}\r\n" + b"y" * 20 + b"\r\n")
    assert framer.response()[1] == b"y" * 20


@pytest.mark.parametrize("after", [b"", b"y" * 30 + b" {51}\r\n"], ids=["left", "error"])
def test_the_files_of_an_unfinished_response_are_closed(after):
    file = io.BytesIO()
    framer = Framer(SMALL, lambda size: file)
    framer.feed(b"* X {30}\r\n" + after)
    if after:
        with pytest.raises(RemoteProtocolError):
            framer.response()
    else:
        assert framer.response() is None
        framer.abandon()
    assert file.closed


def test_a_framer_is_empty_until_a_byte_waits_in_it():
    framer = Framer(SMALL)
    assert framer.empty
    framer.feed(b"* OK\r\n")
    assert not framer.empty
    framer.response()
    assert framer.empty
    framer.feed(b"\r")
    framer.response()
    assert not framer.empty


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"* 1 FETCH (BODY[] {5}\r\n", b"\r\n", b"\r", b"\n", b"\0", b"{3}\r\n", b"{30}\r\n", b"* OK {2}\r\n"]
        ),
        st.binary(max_size=30),
    ),
    max_size=12,
).map(b"".join)


@given(data=PIECES, cuts=st.sets(st.integers(0, 200)), spill=st.booleans())
@example(data=b"x" * 61 + b"\r\n", cuts={61, 62}, spill=False)
def test_the_pieces_make_no_difference(data, cuts, spill):
    cuts = [cut for cut in cuts if cut < len(data)]
    whole = framed(data)
    assert framed(data, cut=cuts, spill=spill) == whole
    assert framed(data, cut=range(1, len(data)), spill=spill) == whole

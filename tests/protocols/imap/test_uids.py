"""Sets of message numbers and the names of folders, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.imap import utf7
from posthouse.protocols.imap.uidset import HIGHEST, UidSet

UIDS = st.sets(st.one_of(st.integers(1, 50), st.integers(1, HIGHEST)))


@given(UIDS)
def test_a_set_survives_being_written_and_read(uids):
    written = UidSet.of(uids)
    assert list(written) == sorted(uids)
    assert len(written) == len(uids)
    assert not uids or UidSet.parse(str(written)) == written


@given(UIDS.filter(bool), st.integers(1, 60))
def test_a_set_cut_into_lines_is_the_same_set(uids, length):
    lines = list(UidSet.of(uids).in_lines(length))
    assert all(len(line) <= max(length, 21) for line in lines)
    assert UidSet.of(uid for line in lines for uid in UidSet.parse(line)) == UidSet.of(uids)


@given(UIDS, st.integers(1, 60))
def test_a_set_knows_what_is_in_it(uids, uid):
    assert (uid in UidSet.of(uids)) == (uid in uids)


def test_neighbours_are_written_as_ranges():
    assert str(UidSet.of([9, 3, 4, 5, 4, 1])) == "1,3:5,9"


def test_ends_may_come_in_either_order_and_overlap():
    assert UidSet.parse("9:7,8:12,*").ranges == ((7, 12), (HIGHEST, HIGHEST))


def test_a_set_of_all_numbers_is_not_expanded():
    everything = UidSet.parse("1:4294967295")
    assert (len(everything), 77 in everything) == (HIGHEST, True)


@pytest.mark.parametrize(
    "text", ["", "0", "1:0", "a", "1,,2", "1:2:3", "-1", "4294967296", "1 2", "1\n", "99999999999"]
)
def test_what_is_no_set_is_refused(text):
    with pytest.raises(ValueError):
        UidSet.parse(text)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_a_folder_name_survives_modified_utf7(name):
    wire = utf7.encode(name)
    assert utf7.decode(wire) == name
    assert all(0x20 <= byte <= 0x7E for byte in wire)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # the example of RFC 3501 §5.1.3
        ("Entwürfe", b"Entw&APw-rfe"),
        ("R&D", b"R&-D"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_folder_names_as_servers_write_them(name, wire):
    assert utf7.encode(name) == wire
    assert utf7.decode(wire) == name


@pytest.mark.parametrize("raw", [b"R&D", b"&AP", b"Entw\xfcrfe", b"&A-", b"&2D0-"])
def test_what_is_not_modified_utf7_is_a_value_error(raw):
    with pytest.raises(ValueError):
        utf7.decode(raw)

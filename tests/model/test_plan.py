"""The plan of a sync, tried against a small world that behaves as servers do."""

from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.sync import Cursor, FetchFrom, Nothing, Snapshot, StartOver, plan

uids = st.integers(min_value=1, max_value=2**32 - 1)
validities = st.one_of(st.none(), uids)
cursors = st.builds(Cursor, folder=st.just("INBOX"), uid_validity=validities, next_uid=uids)
snapshots = st.builds(Snapshot, folder=st.just("INBOX"), uid_validity=validities, next_uid=uids, exists=st.just(0))


def after(cursor: Cursor | None, seen: Snapshot) -> Cursor:
    """The cursor when everything that was planned has been done."""
    return Cursor(folder=seen.folder, uid_validity=seen.uid_validity, next_uid=seen.next_uid)


@given(cursor=st.one_of(st.none(), cursors), seen=snapshots)
def test_once_done_there_is_nothing_to_do(cursor: Cursor | None, seen: Snapshot) -> None:
    again = plan(after(cursor, seen), seen)
    assert again == Nothing() if seen.uid_validity is not None else isinstance(again, StartOver)


@given(cursor=cursors, seen=snapshots)
def test_no_new_uid_is_passed_over(cursor: Cursor, seen: Snapshot) -> None:
    match plan(cursor, seen):
        case Nothing():
            assert seen.next_uid == cursor.next_uid
        case FetchFrom(uid):
            assert uid <= cursor.next_uid
        case StartOver():
            assert (
                seen.uid_validity != cursor.uid_validity or seen.uid_validity is None or seen.next_uid < cursor.next_uid
            )


@given(seen=snapshots)
def test_a_folder_never_looked_at_is_fetched_from_its_beginning(seen: Snapshot) -> None:
    assert plan(None, seen) == FetchFrom(1)


@given(cursor=cursors.filter(lambda c: c.uid_validity is not None), more=st.integers(0, 1000))
def test_other_search_terms_look_at_everything_again(cursor: Cursor, more: int) -> None:
    seen = Snapshot(folder="INBOX", uid_validity=cursor.uid_validity, next_uid=cursor.next_uid + more, exists=0)
    assert plan(cursor, seen, "UNSEEN") == FetchFrom(1)

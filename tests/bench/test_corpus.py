"""The made-up mailbox is the same everywhere, and like a real one."""

import email
import hashlib
import re
import sys
from pathlib import Path
from statistics import median

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))

from bench import corpus

SEED = 7


def test_a_message_depends_on_its_seed_and_number_alone(tmp_path: Path) -> None:
    small = list(corpus.mailbox(SEED, 5))
    large = list(corpus.mailbox(SEED, 20))
    assert large[:5] == small
    assert corpus.message(SEED, 3) != corpus.message(SEED + 1, 3)


def test_its_bytes_do_not_change_unnoticed() -> None:
    """Figures of different days can be compared only while the mailbox stays the same."""
    digest = hashlib.sha256(b"".join(raw for _, raw in corpus.mailbox(1, 50))).hexdigest()
    assert digest == "846ff44b89d00f09eb102457cd6c725a77c771660fb55d8543d4b324d6fc5d11"


def test_no_message_is_there_twice() -> None:
    digests = {hashlib.sha256(raw).digest() for _, raw in corpus.mailbox(SEED, 300)}
    assert len(digests) == 300


def test_sizes_are_those_of_people() -> None:
    sizes = [len(raw) for _, raw in corpus.mailbox(SEED, 400)]
    assert 5_000 < median(sizes) < 15_000
    assert max(sizes) > 300_000


def test_one_in_fifty_is_broken() -> None:
    broken = sum(corpus.broken_kind(SEED, number) is not None for number in range(5_000))
    assert 60 < broken < 140


@pytest.mark.parametrize("kind", sorted(corpus.BROKEN))
def test_every_way_to_be_broken_is_written(kind: str) -> None:
    first, second = (corpus.broken(kind, SEED, number) for number in (1, 2))
    assert first
    assert first != second


def test_what_is_not_broken_is_well_formed() -> None:
    charsets = set()
    for number, raw in corpus.mailbox(SEED, 150):
        if corpus.broken_kind(SEED, number) is None:
            read = email.message_from_bytes(raw)
            assert not [part.defects for part in read.walk() if part.defects]
            assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
            charsets |= {part.get_content_charset() for part in read.walk() if part.get_content_maintype() == "text"}
    assert len(charsets) > 8


def test_the_reference_of_a_message_is_in_its_text_and_in_no_other() -> None:
    messages = [(n, raw) for n, raw in corpus.mailbox(SEED, 60) if corpus.broken_kind(SEED, n) is None]
    texts = {number: text_of(raw) for number, raw in messages}
    for number, _ in messages:
        assert [n for n, text in texts.items() if corpus.reference(number) in text] == [number]


def test_a_maildir_holds_the_big_message_too(tmp_path: Path) -> None:
    octets = corpus.write_maildir(tmp_path, SEED, 10, big=300_000)
    files = sorted((tmp_path / "cur").iterdir())
    assert len(files) == 10
    assert sum(file.stat().st_size for file in files) == octets
    assert max(file.stat().st_size for file in files) > 300_000
    assert [file.stat().st_mtime for file in files] == sorted(file.stat().st_mtime for file in files)


def text_of(raw: bytes) -> str:
    parts = (part.get_payload(decode=True) for part in email.message_from_bytes(raw).walk())
    return b"".join(part for part in parts if isinstance(part, bytes)).decode("latin-1")

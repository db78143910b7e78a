"""How text is cut into the words that a search finds it by."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model.words import LONGEST_WORD, MOST_WORDS, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        (" ... --- ", ()),
        ("One two, ONE_three", ("one", "two", "three")),
        ("no.reply+x@mail.example", ("no", "reply", "x", "mail", "example")),
        ("Café CAFE\u0301 cafe", ("cafe",)),
        ("Ünal İstanbul straße", ("unal", "istanbul", "straße")),
        ("會議 3pm", ("3pm", "會", "議")),
        ("日本語、東京", ("日", "本", "語", "東", "京")),
        ("счёт № 7", ("7", "счет", "no")),
        ("\ufada น้ำ", ("น", "า")),
        ("ΛΟΓΟΣ λόγος Λόγοσ", ("λογοσ",)),
    ],
)
def test_text_is_cut_into_words(text: str, found: tuple[str, ...]) -> None:
    assert words(text) == found


def test_words_are_bounded_in_length_and_number() -> None:
    assert words("x" * 100 + " " + "ü" * 100) == ("x" * LONGEST_WORD, "u" * LONGEST_WORD)
    assert len(words(" ".join(map(str, range(MOST_WORDS + 5))))) == MOST_WORDS


@settings(max_examples=200)
@given(st.lists(st.text(max_size=12), max_size=30))
def test_every_word_is_found_by_itself(chunks: list[str]) -> None:
    """What is indexed and what is asked for are cut alike, alone or amid other text."""
    everything = set(words(" ".join(chunks)))
    for chunk in chunks:
        assert everything.issuperset(words(chunk))
    for word in everything:
        assert word.isalnum()
        assert word == unicodedata.normalize("NFKD", word) or not word.isascii()

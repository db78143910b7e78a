"""How text is cut into the words that a search finds it by, alike for what is filed and for what is asked.

Words are runs of letters and digits, in lower case and without accents, with one form of the Greek sigma; Chinese,
Japanese and Thai text, which has no spaces, is cut letter by letter.
"""

import re
import unicodedata

MOST_WORDS = 4000
LONGEST_WORD = 40

_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
# In UTF-8: ASCII letters in lower case, digits, whatever is not ASCII, and blanks for all the rest.
_ASCII = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256)).lower()


class _Folded(dict[int, str]):
    """For `str.translate`: what is left of each character. Remembers as many as the world's mail is written in."""

    def __missing__(self, code: int) -> str:
        # A capital sigma has but one small letter when it stands by itself, and the final one is to be like that.
        letters = unicodedata.normalize("NFKD", chr(code)).lower().replace("ς", "σ")
        folded = "".join(_piece(letter) for letter in letters if not unicodedata.combining(letter))
        if len(self) < 30_000:
            self[code] = folded
        return folded


def _piece(letter: str) -> str:
    if not letter.isalnum():
        return " "
    return f" {letter} " if _UNSPACED.match(letter) else letter


_FOLDED = _Folded()


def words(text: str) -> tuple[str, ...]:
    """The different words of a text, at most MOST_WORDS; those of ASCII alone come first."""
    # Most of what is said is said again, and most is ASCII even where not all is: the slow way is for the rest.
    found = dict.fromkeys(text.encode("utf-8", "replace").translate(_ASCII).decode().split())
    if not text.isascii():
        others = [word for word in found if not word.isascii()]
        for word in others:
            del found[word]
        found |= dict.fromkeys(" ".join(others).translate(_FOLDED).split())
    if max(map(len, found), default=0) > LONGEST_WORD:
        found = dict.fromkeys(word[:LONGEST_WORD] for word in found)
    return tuple(found)[:MOST_WORDS]

"""Made-up languages for made-up mail.

Each tongue has a script, a vocabulary in which few words are frequent and most are rare (Zipf), paragraphs to build
texts of, and the charsets that its mail is written in. Nothing means anything; what counts is what a parser, a
compressor and a search index see.
"""

import random
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

VOCABULARY = 6000
PARAGRAPHS = 240


@dataclass(frozen=True)
class Tongue:
    """A script and its charsets, each with how often it is met. `spaced` is whether words stand apart."""

    name: str
    syllables: tuple[str, ...]
    charsets: tuple[tuple[str, int], ...]
    spaced: bool = True


@dataclass(frozen=True)
class Phrases:
    """What a tongue has to say, for one seed."""

    words: tuple[str, ...]
    weights: tuple[float, ...]
    paragraphs: tuple[tuple[str, ...], ...] = field(repr=False)

    def some(self, dice: random.Random, count: int) -> list[str]:
        """So many words, the frequent ones more often."""
        return dice.choices(self.words, cum_weights=self.weights, k=count)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TONGUES = (
    Tongue(
        "western",
        _split(
            "ba con de er fi gra hel in ka lo men nor op pla qui re sta ter um ver wi yo tion ing ly est an ou mar s"
        ),
        (("utf-8", 40), ("us-ascii", 16)),
    ),
    Tongue(
        "accented",
        _split("ä be ché dé er fü gen hä ich jö ka lé män nö os prü qué rü schö tü un vä wen zé ñor çon straß ê ì ô"),
        (("utf-8", 8), ("iso-8859-1", 6), ("iso-8859-15", 2), ("windows-1252", 4)),
    ),
    Tongue(
        "central",
        _split("ą bě cz dł eń gře ha ij kę ľub mó ńs ož př rz ší tů uć vý wę źl ž"),
        (("utf-8", 1), ("iso-8859-2", 1)),
    ),
    Tongue(
        "cyrillic",
        _split("а бо ве го да ер жи за ич ка ли мо на ов при ру ст те ук фа хо ция ча ши щё ы ять э ю я"),
        (("utf-8", 4), ("windows-1251", 3), ("koi8-r", 2)),
    ),
    Tongue(
        "greek", _split("αλ βε γο δια ερ ζω ηλ θα και λο μη να ξε ου πρ ρι στο τη υπ φω χα ψυ ως"), (("iso-8859-7", 1),)
    ),
    Tongue(
        "japanese",
        tuple(
            "あいうえおかきくけこさしすせそたちつてとなにぬねのはまみもやゆよらりるれわをんアカサタナ会社日本東京時間人年月出来行見今前後中大小"
        ),
        (("iso-2022-jp", 4), ("utf-8", 3), ("shift_jis", 1)),
        spaced=False,
    ),
    Tongue(
        "chinese",
        tuple("的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小"),
        (("gb18030", 3), ("utf-8", 3), ("gb2312", 1)),
        spaced=False,
    ),
    Tongue(
        "korean",
        tuple("가나다라마바사아자차카타파하고노도로모보소오조기니디리미비시이지한국말안녕일월회"),
        (("euc-kr", 1), ("utf-8", 1)),
    ),
    Tongue("hebrew", _split("אב בי גד דר הו זה חל טו יש כל לא מה נו סו עם פה צא קר רב של תי"), (("windows-1255", 1),)),
    Tongue(
        "arabic",
        _split("ال بي تم جد حر خط دا رس شر صو طل عم في قل كت لا من نو هو ين"),
        (("utf-8", 1), ("windows-1256", 1)),
    ),
)

MIX = tuple((tongue, charset, weight) for tongue in TONGUES for charset, weight in tongue.charsets)
WEIGHTS = tuple(weight for *_, weight in MIX)


@lru_cache(maxsize=64)
def phrases(tongue: Tongue, seed: int) -> Phrases:
    """The vocabulary and paragraphs of a tongue; the same ones for the same seed."""
    dice = random.Random(f"{tongue.name}/{seed}")
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(dice.choices(tongue.syllables, k=dice.choice((1, 2, 2, 3, 3, 4))))] = None
    weights = tuple(accumulate(1 / (rank + 3) for rank in range(len(words))))
    known = Phrases(tuple(words), weights, ())
    return Phrases(known.words, weights, tuple(_paragraph(tongue, known, dice) for _ in range(PARAGRAPHS)))


def _paragraph(tongue: Tongue, known: Phrases, dice: random.Random) -> tuple[str, ...]:
    """Lines of at most about 70 characters."""
    lines, line = [], ""
    for word in known.some(dice, dice.randint(20, 110)):
        if len(line) + len(word) > (68 if tongue.spaced else 30):
            lines.append(line)
            line = ""
        line += word + (" " if tongue.spaced and dice.random() < 0.93 else ", " if tongue.spaced else "")
    return (*lines, line.rstrip(", ") + ".")

"""Feeds the reader mutilated messages: `python -m mime.fuzz_reading --seconds 60`, with `src` and `tests` on the path.

The corpus is cut, glued, doubled and overwritten at random. Any exception, or anything unsound in what was read,
ends the run; the message that did it is written beside where it was started, with the seed that makes it again.
"""

import argparse
import random
import time
from pathlib import Path

from mime import corpus
from mime.test_reading import FRAGMENTS, is_sound
from posthouse.mime import html, reading

SEEDS = [corpus.raw(name) for name in corpus.NAMES]


def mutilated(random_: random.Random) -> bytes:
    """A message that was one once."""
    raw = bytearray(random_.choice(SEEDS))
    for _ in range(random_.randint(1, 12)):
        at = random_.randint(0, len(raw))
        width = random_.choice((0, 1, 2, 10, 100))
        match random_.randrange(6):
            case 0:
                raw[at : at + width] = b""
            case 1:
                raw[at:at] = random_.choice(FRAGMENTS) * random_.choice((1, 1, 1, 50))
            case 2:
                raw[at : at + width] = random_.randbytes(width)
            case 3:
                raw[at:at] = raw[at : at + width] * random_.choice((1, 2, 30))
            case 4:
                other = random_.choice(SEEDS)
                start = random_.randint(0, len(other))
                raw[at : at + width] = other[start : start + random_.randint(0, 400)]
            case _:
                for _ in range(min(width, len(raw))):
                    raw[random_.randrange(len(raw))] ^= 1 << random_.randrange(8)
    return bytes(raw[:100_000])


def run(first: int, cases: int | None, seconds: float | None) -> int:
    """Try seeds from `first` on until one of the limits is met; how many were tried."""
    begun = time.monotonic()
    tried = 0
    while (cases is None or tried < cases) and (seconds is None or time.monotonic() - begun < seconds):
        seed = first + tried
        raw = mutilated(random.Random(seed))
        try:
            message = reading.read(raw)
            is_sound(raw, message)
            html.text(message.html)
            html.displayable(message.html)
        except BaseException:
            path = Path(f"fuzz-{seed}.eml")
            path.write_bytes(raw)
            print(f"seed {seed} failed: {path}")
            raise
        tried += 1
    return tried


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 40))
    arguments = parser.parse_args()
    if arguments.cases is None and arguments.seconds is None:
        arguments.seconds = 60.0
    print(f"{run(arguments.seed, arguments.cases, arguments.seconds)} messages from seed {arguments.seed} on")

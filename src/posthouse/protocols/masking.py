"""What a transcript may show.

Every line of a conversation passes here on its way to the note-taker. Secrets are hidden wherever they turn
up, also where a server echoes them (`535 no user ann with password hunter2`), in the forms in which mail
protocols carry them; control characters are shown escaped, so that no banner can forge a line or colour a
terminal; long lines are cut.
"""

import re
from base64 import b64encode

from posthouse.protocols.exchange import Note, unheard

MASK = "***"
SHOWN = 1000  # characters of one line

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Masked:
    """A note-taker that lets no hidden word pass."""

    def __init__(self, note: Note = unheard) -> None:
        self._note = note
        self._forms: tuple[str, ...] = ()  # the longest first
        self._words: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None  # of the words: for all forms it would be 3 KB a connection
        self._longest = 0

    def hide(self, *secrets: str) -> None:
        """Hide these from now on: as they are, quoted as IMAP does, and in base64 wherever they stand in it.

        Secrets of one to three characters are hidden as whole words only, for they are part of everything.
        """
        forms, words = set(self._forms), set(self._words)
        for secret in filter(None, secrets):
            if len(secret) < 4:
                words |= {secret, b64encode(_bytes(secret)).decode()}
            else:
                forms |= {secret, _quoted(secret), *_in_base64(_bytes(secret))}
        self._forms, self._words = tuple(sorted(forms, key=len, reverse=True)), frozenset(words)
        if words:
            either = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
            self._pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)")
        self._longest = max(map(len, forms | words), default=0)

    def client(self, line: str) -> None:
        """Note what we said."""
        self._take("C: ", line)

    def server(self, line: str) -> None:
        """Note what the server said."""
        self._take("S: ", line)

    def text(self, text: str) -> str:
        """The same text, for an error or a result: secrets hidden, nothing else changed."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return self._pattern.sub(MASK, text) if self._pattern else text

    def _take(self, who: str, line: str) -> None:
        if self._note is not unheard:
            self._note(who + self._shown(line))

    def _shown(self, line: str) -> str:
        # Of a line of megabytes only the beginning is looked at; half a secret at its end is cut off with it.
        start = line[: SHOWN + self._longest + 1]
        shown = self.text(start)
        if len(start) < len(line):
            shown = shown[: max(0, min(SHOWN, len(shown) - self._longest))] + "…"
        elif len(shown) > SHOWN:
            shown = shown[:SHOWN] + "…"
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), shown)


def _quoted(secret: str) -> str:
    return secret.replace("\\", "\\\\").replace('"', '\\"')


def _in_base64(secret: bytes) -> set[str]:
    """What base64 shows of these bytes wherever they stand in it, and all of it where they stand alone."""
    forms = {b64encode(secret).decode()}
    for before, undecided in ((0, 0), (1, 2), (2, 3)):
        encoded = b64encode(bytes(before) + secret).decode()
        forms.add(encoded[undecided : 8 * (before + len(secret)) // 6])
    return forms


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")

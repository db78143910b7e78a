"""`mime.apart` as it would be if some messages broke it: those that begin with `hang`, `die` or `raise`."""

import os
import signal

from posthouse.mime import apart, gist
from posthouse.mime.reading import read
from posthouse.model.message import Message
from posthouse.model.sync import Buffer


def reader(raw: Buffer) -> Message:
    word = bytes(raw[:5])
    if word.startswith(b"hang"):
        while True:
            pass
    if word.startswith(b"die"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if word.startswith(b"raise"):
        raise RecursionError
    return read(raw)


apart.CPU_SECONDS = 0.2
apart.gist = lambda raw: gist.gist(raw, reader)  # type: ignore[assignment]
apart.main()

"""Reading in a process of its own, so that a message that takes it down takes nothing else along.

`python -m posthouse.mime.apart` reads messages from its standard input, each behind its length, and answers each with
its pickled gist behind its length, at once and in order. It ends when its input does, and is ended by the kernel
(SIGPROF) when one message costs it more than `CPU_SECONDS`: whoever has no answer then knows which one.
"""

import pickle
import resource
import signal
import struct
import sys

from posthouse.mime.gist import gist

LENGTH = struct.Struct(">Q")
READY = b"+"
"""What it says first, when it can be given messages."""

CPU_SECONDS = 30.0
"""Of processor time, which a busy machine does not use up; the largest messages need a second."""

_MEMORY = 2 << 30


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too, and our parent decides what it means
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody is there any more to answer to
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(READY)
    sink.flush()
    while header := source.read(LENGTH.size):
        (size,) = LENGTH.unpack(header)
        raw = source.read(size)
        if len(raw) < size:
            break  # our parent died in the middle of it
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        answer = pickle.dumps(gist(raw), pickle.HIGHEST_PROTOCOL)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(LENGTH.pack(len(answer)) + answer)
        sink.flush()


if __name__ == "__main__":
    main()

"""Run a command and print what it cost, as a line of JSON: wall and CPU seconds, peak memory, how it ended.

    python -I -S measure.py RESULT COMMAND …

It stands between a benchmark and the command because Linux counts the memory of whoever forks as the child's own
(`ru_maxrss` outlives exec): the benchmark is large, this is small. Hence no imports but these.
"""

import json
import os
import resource
import sys
import time


def main(result: str, *command: str) -> None:
    began = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - began
    cost = {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        "floor_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "exit": os.waitstatus_to_exitcode(status),
    }
    with open(result, "w") as file:
        json.dump(cost, file)


if __name__ == "__main__":
    main(*sys.argv[1:])

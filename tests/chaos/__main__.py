"""The big version of the ordeal, and the troubles in their real times: `make chaos`, some minutes."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from peers.dovecot import Dovecot

from .town import ordeal, town_of
from .troubles import TROUBLES, rehearse


async def rehearse_all(data: Path) -> None:
    """How soon each trouble is shown."""
    for place, trouble in enumerate(TROUBLES):
        own = data / str(place)
        own.mkdir()
        print(f"{trouble.name}: shown after {await rehearse(trouble, own):.1f} s")


async def main() -> None:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--connectors", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mail-every", type=float, default=0.05, help="seconds")
    parser.add_argument("--troubles", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    if options.troubles:
        with tempfile.TemporaryDirectory(prefix="posthouse-chaos-") as data:
            await rehearse_all(Path(data))
    dovecot = Dovecot()
    dovecot.start()
    try:
        with tempfile.TemporaryDirectory(prefix="posthouse-chaos-") as data:
            async with town_of(options.connectors, options.workers, dovecot, Path(data)) as town:
                print(await ordeal(town, rounds=options.rounds, mail_every=options.mail_every))
    finally:
        dovecot.stop()


if __name__ == "__main__":
    asyncio.run(main())

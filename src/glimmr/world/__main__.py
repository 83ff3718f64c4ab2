"""`python -m glimmr.world`: serve a world until stdin ends or SIGTERM comes; the first line on stdout says where."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from glimmr.world.build import world
from glimmr.world.mixes import MIXES
from glimmr.world.pra import PraRules
from glimmr.world.server import serve


async def _serve(arguments: argparse.Namespace) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    built = world(arguments.seed, arguments.hospitals, arguments.mix)
    rules = PraRules(requests=arguments.pra_requests, failing_states=frozenset(arguments.pra_fails))
    async with serve(built, port=arguments.port, pra=rules, log_path=arguments.log) as server:
        told = {"port": server.port, "hospitals": len(built.hospitals), "files": len(built.files)}
        print(json.dumps(told | {"settings": server.settings}), flush=True)
        if not arguments.forever:
            threading.Thread(target=_wait_for_end_of_stdin, args=(loop, done), daemon=True).start()
        await done.wait()


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    """Say when the starter has gone. Reads the descriptor, for a thread inside `sys.stdin` would block the exit."""
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself meanwhile
        loop.call_soon_threadsafe(done.set)


def main(words: Sequence[str] | None = None) -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="glimmr.world", description="A simulated internet of hospitals, on loopback.")
    parser.add_argument("--hospitals", type=int, default=80, help="how many hospitals there are")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same world")
    parser.add_argument("--mix", choices=sorted(MIXES), default="demo", help="sizes and faults")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--log", type=Path, default=None, help="file that gets one JSON line per request")
    parser.add_argument("--pra-requests", type=int, default=100, help="PRA requests allowed in 180 s")
    parser.add_argument("--pra-fails", nargs="*", default=[], metavar="STATE", help="states PRA answers 500 for")
    parser.add_argument("--forever", action="store_true", help="do not end with stdin")
    asyncio.run(_serve(parser.parse_args(words)))


if __name__ == "__main__":
    main()

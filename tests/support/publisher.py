"""A process that publishes price lists, to be run beside others or killed: `publisher.py LAKE SCRATCH NAME… [die=N]`.

Says `go` on its standard output when its imports are done, then waits for a line, then publishes every NAME. With
`die=N` it kills itself at the N-th question to the fence.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from glimmr.publish import publish
from glimmr.stores.lake import Lake
from tests.support.price_lists import charge, file_id, file_row, hospital_row, rate, write_price_list


def price_list(name: str) -> list[dict[str, Any]]:
    """The charges of a name: their number and prices follow from it."""
    many = 20 + len(name) * 7 + int(file_id(name)[:2], 16)
    return [charge(f"{99000 + n}", rates=[rate(f"Payer {k}", str(n + k)) for k in range(n % 4)]) for n in range(many)]


def publish_name(lake: Lake, scratch: Path, name: str, fence: Any, parser_version: str = "1") -> None:
    """Publish the price list of a name, as the pipeline would."""
    of = file_id(name)
    charges = price_list(name)
    folder = write_price_list(scratch / f"{name}-{os.getpid()}", of, charges)
    publish(lake, file_row(of, charges, parser_version), [hospital_row(name)], fence=fence, folder=folder)


def main(lake: str, scratch: str, *names: str) -> None:
    """See the module."""
    die = next((int(name[4:]) for name in names if name.startswith("die=")), 0)
    questions = 0

    def fence() -> None:
        nonlocal questions
        questions += 1
        if questions == die:
            os.kill(os.getpid(), signal.SIGKILL)

    print("go", flush=True)
    sys.stdin.readline()
    for name in names:
        if not name.startswith("die="):
            publish_name(Lake(lake), Path(scratch), name, fence)
            print(name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

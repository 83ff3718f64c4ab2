"""`glimmr demo`: the whole line on a simulated internet of hospitals, on this machine alone."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

_FOLDER = Path("glimmr-demo")
_CODE = "27447"  # total knee replacement: most hospitals of the demo world publish it
_SHOWN = 12
# The simulated servers answer in milliseconds, so an afternoon of patience fits into seconds.
_HURRY: dict[str, Any] = {
    "sources": "cms_roster,pra",  # so that `coverage` knows who there is
    "pra_delay_seconds": 0.0,
    "header_timeout_seconds": 5.0,
    "stall_seconds": 2.0,
    "retry_scale": 0.01,
    "max_attempts": 4,
    "patience_seconds": 20.0,
    "min_free_bytes": 10**9,
}


def demo(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the demo keeps its data.")] = _FOLDER,
    hospitals: Annotated[int, typer.Option(min=1, max=5000, help="How many hospitals there are.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
) -> None:
    """Run the line over a simulated world on loopback: nothing is asked outside of this machine."""
    from glimmr.cli import show
    from glimmr.cli.asked import sources_asked
    from glimmr.cli.options import load
    from glimmr.cli.walk import exit_code, run_line
    from glimmr.prices import price_table
    from glimmr.world.build import world

    states = sorted({hospital.state for hospital in world(seed, hospitals, "demo").hospitals})
    typer.echo(f"a simulated world of {hospitals} hospitals in {', '.join(states)} is served on 127.0.0.1")
    with _served(hospitals, seed) as given:
        settings = load(data=data, **(given | _HURRY))
        asked = sources_asked(settings, states, all_states=False)
        summary = run_line(settings, asked, limit=None, refresh=False, as_json=False)
    if summary["interrupted"]:
        sys.exit(exit_code(summary))
    typer.echo(f"\nWhat a knee replacement costs (`glimmr prices {_CODE} --data {data}`):")
    with price_table(settings) as table:
        rows = table.prices(_CODE, limit=5000).rows
    show.prices(_a_few(rows))
    typer.echo(f"… {len(rows):,} published prices of this code. Open the price table without Glimmr:\n")
    typer.echo(f"  {_one_liner(data / 'lake')}\n")
    sys.exit(exit_code(summary))


@contextmanager
def _served(hospitals: int, seed: int) -> Generator[dict[str, Any]]:
    """The world in a process of its own, which ends when its stdin does; gives the settings to live in it."""
    command = [sys.executable, "-m", "glimmr.world", "--mix", "demo", f"--hospitals={hospitals}", f"--seed={seed}"]
    # In a session of its own, so that Ctrl-C reaches us only: the world must outlive the clean stop of the line.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield {name.removeprefix("GLIMMR_").lower(): value for name, value in told["settings"].items()}
        process.stdin.close()


def _a_few(rows: Any) -> list[Any]:
    """A few prices of each kind of many hospitals, rather than every price of the first."""
    seen: set[tuple[str, str]] = set()
    chosen: list[Any] = []
    for row in rows:
        key = (row.hospital_id, "cash" if row.kind == "cash" else row.payer or "")
        wanted = row.kind == "cash" or (row.kind == "negotiated" and row.amount is not None)
        if wanted and sum(1 for hospital, _ in seen if hospital == row.hospital_id) < 2 and key not in seen:
            seen.add(key)
            chosen.append(row)
    return chosen[:_SHOWN]


def _one_liner(lake: Path) -> str:
    """What opens the price table in DuckDB without Glimmr, to be pasted into a shell."""
    python = min(sys.executable, os.path.relpath(sys.executable), key=len)
    return (
        f'{python} -c "import duckdb, deltalake; '
        f"print(duckdb.read_parquet(deltalake.DeltaTable('{lake}/charges').file_uris())"
        ".aggregate('code_type, count(*) AS charges, median(gross_charge) AS median_gross'))\""
    )

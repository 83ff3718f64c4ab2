"""`glimmr prices` and `glimmr sql`: ask the price table."""

import csv
import sys
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data

_MOST_ROWS = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def prices(
    codes: Annotated[list[str], typer.Argument(metavar="CODE…", help="CPT, HCPCS, MS-DRG, NDC, revenue code …")],
    state: Annotated[str | None, typer.Option(help="Only hospitals of this state or territory.")] = None,
    payer: Annotated[str | None, typer.Option(help="Only payers or plans whose name holds this.")] = None,
    setting: Annotated[str | None, typer.Option(help="inpatient or outpatient.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most that many prices.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what hospitals charge for a code, each price with its hospital, payer, file date and source cell."""
    from dataclasses import asdict

    from glimmr.cli.options import load
    from glimmr.prices import price_table
    from glimmr.scan.places import place_code

    place = place_code(state) if state else None
    with price_table(load(data=data)) as table:
        answer = table.prices(*codes, state=place, payer=payer, setting=setting, limit=limit)
    if as_json:
        show.as_json(asdict(answer))
        return
    if answer.rows:
        show.prices(answer.rows)
    for sentence in answer.why:
        typer.echo(sentence)
    if answer.more:
        typer.echo(f"the first {limit:,} are shown; --limit gives more, --state, --payer and --setting fewer")


def sql(
    text: Annotated[str, typer.Argument(metavar="SELECT…", help="A DuckDB statement that reads; - is stdin.")],
    limit: Annotated[int, typer.Option(min=0, help="At most that many rows on a terminal; 0 is all.")] = _MOST_ROWS,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Ask the views `prices`, `charges`, `rates`, `files`, `file_hospitals`, `amounts`, `charge_codes` in SQL."""
    from glimmr.cli.options import load
    from glimmr.prices import price_table

    statement = sys.stdin.read() if text == "-" else text
    with price_table(load(data=data)) as table:
        if as_csv:
            columns, batches = table.stream(statement)
            writer = csv.writer(sys.stdout, lineterminator="\n")
            terminal = sys.stdout.isatty()
            writer.writerow([show.clean(name) for name in columns] if terminal else columns)
            for batch in batches:
                writer.writerows([_csv_cell(value, terminal=terminal) for value in row] for row in batch)
            return
        rows = table.sql(statement, limit=None if as_json or not limit else limit)
    if as_json:
        show.as_json([dict(zip(rows.columns, row, strict=True)) for row in rows.rows])
        return
    show.as_table(rows.columns, rows.rows)
    if rows.more:
        typer.echo(f"the first {limit:,} rows are shown; --limit 0 or --csv gives all")


def _csv_cell(value: Any, *, terminal: bool) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe (OWASP ASVS 1.2.10); numbers stay numbers.

    On a terminal it cannot steer that; into a file or a pipe it goes as it is.
    """
    if not isinstance(value, str):
        return value
    text = f"'{value}" if value.startswith(_FORMULA) else value
    return show.clean(text) if terminal else text

"""`glimmr parse`: read one file, without a database."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.errors import UsageError
from glimmr.outcomes import MEANINGS, Outcome

_FLAT = (".parquet", ".csv", ".ndjson")


def parse(
    source: Annotated[str, typer.Argument(metavar="PATH|URL|-", help="A file, an http(s) address, or - for stdin.")],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="DIR/|FILE",
            help="A folder gets charges.parquet and rates.parquet (and rejects.parquet if any);"
            " a file ending in .parquet, .csv or .ndjson gets the flat table `prices`.",
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the whole report there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read one price file and say what is in it. The exit code tells the outcome (docs/reference/outcomes.md)."""
    from glimmr import app
    from glimmr.cli.interrupt import run_to_end
    from glimmr.cli.options import load
    from glimmr.cli.progress import one_file

    target, is_folder = _target(to)
    with one_file(source, shown=not as_json) as tell:
        read = run_to_end(app.read_one(load(), source, target, tell, is_folder=is_folder))
    facts = read.as_dict()
    if report:
        _write(report, show.json_text(facts) + "\n")
    if as_json:
        show.as_json(facts)
    else:
        _show(facts, to)
    sys.exit(MEANINGS[Outcome(read.outcome)].exit_code)


def _target(to: str | None) -> tuple[Path | None, bool]:
    """Where the tables go, and whether that is a folder: a path forgets its slash, and may look like a file's."""
    if to is None:
        return None, False
    path = Path(to)
    is_folder = to.endswith("/") or path.is_dir() or not path.suffix
    if is_folder or path.suffix.lower() in _FLAT:
        return path, is_folder
    raise UsageError(f"--to {to}: a folder (end it with /), or a file ending in {', '.join(_FLAT)}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the report cannot be written to {path}: {error.strerror}") from error


def _show(facts: dict[str, Any], to: str | None) -> None:
    columns = ("member", "layout", "version", "encoding", "items", "charges", "rates", "rejected", "outcome")
    rows = [
        (
            member["member"] or "(the file)",
            member["layout"] or member["format"] or "",
            member["template_version"],
            member["encoding"],
            f"{member['rows_in']:,}",
            f"{member['charges']:,}",
            f"{member['rates']:,}",
            f"{member['rows_rejected']:,}",
            f"{member['outcome']} {member['reason']}".strip(),
        )
        for member in facts["members"]
    ]
    show.as_table(columns, rows, right=("items", "charges", "rates", "rejected"))
    found = [(f["code"], f["severity"], f"{f['count']:,}", _seen(f)) for m in facts["members"] for f in m["findings"]]
    if found:
        show.as_table(("finding", "severity", "count", "first seen"), found, right=("count",))
    meaning = MEANINGS[Outcome(facts["outcome"])].text
    spent = f"{show.size(facts['bytes'])} in {facts['seconds']:.1f} s"
    typer.echo(f"{facts['outcome']}: {show.why(facts['message']) or meaning} ({spent})")
    if to and (facts["charges"] or (facts["rows_rejected"] and Path(to).is_dir())):
        typer.echo(f"written to {to}")


def _seen(finding: dict[str, Any]) -> str:
    if not finding["examples"]:
        return ""
    first = finding["examples"][0]
    return f"{first['position']} {first['field'] or ''} {first['value'] or ''}".strip()

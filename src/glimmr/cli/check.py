"""`glimmr validate` and `glimmr inspect`: what is wrong in one price file, and what its head shows."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.cells import cell_name
from glimmr.errors import UsageError
from glimmr.outcomes import MEANINGS, Outcome

_SEVERITIES = ("error", "warning", "info")
_HEADER_FACTS = ("hospital_name", "last_updated_on", "location_names", "addresses", "license_number", "license_state",
                 "type2_npis", "attestation_confirmed", "attester_name")  # fmt: skip
_AMOUNTS = ("gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "negotiated_dollar")
_MOST_COLUMNS = 40


def validate(
    source: Annotated[str, typer.Argument(metavar="PATH|URL|-", help="A file, an http(s) address, or - for stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check one price file against CMS's rules (docs/reference/findings.md), and say what to fix first.

    Everything is counted, however much it is; the first cells of each finding are shown. Exit 0: no error (warnings
    there may be). 1: errors, or no price table in it. 2: wrong usage. 3: refused: not a price file, unsafe, too large.
    """
    from glimmr import app
    from glimmr.cli.interrupt import run_to_end
    from glimmr.cli.options import load
    from glimmr.cli.progress import one_file

    with one_file(source, shown=not as_json) as tell:
        facts = run_to_end(app.check_one(load(), source, tell)).as_dict()
    for member in facts["members"]:
        member["findings"] = [_explained(finding) for finding in _by_weight(member["findings"])]
    count = {name: _count(facts, name) for name in _SEVERITIES}
    code = MEANINGS[Outcome(facts["outcome"])].exit_code or int(count["error"] > 0)
    if as_json:
        show.as_json({"source": source, "valid": code == 0, "counts": count} | facts)
    else:
        _show_findings(facts, count)
    sys.exit(code)


def inspect(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file on this machine.")],
    rows: Annotated[int, typer.Option(min=0, help="Show that many of its first rows.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at the head of a file, whatever its size: kind, container, layout, header, first rows, findings so far.

    Exit 0: it looks like a price file. 1: no price table was found. 2: wrong usage. 3: it is something else.
    """
    from dataclasses import asdict

    from glimmr import parse
    from glimmr.parse.lean import lean

    if not path.is_file():
        raise UsageError(f"{path}: there is no such file (an address is read by `glimmr parse URL`)")
    with lean():
        seen = parse.inspect(path, rows)
    facts = asdict(seen.report)
    for member in facts["members"]:
        member["findings"] = [_explained(finding) for finding in _by_weight(member["findings"])]
    if as_json:
        show.as_json({"kind": seen.kind, "rows": seen.rows} | _looked_at(facts))
    else:
        _show_head(seen.kind, facts, seen.rows)
    sys.exit(MEANINGS[Outcome(facts["outcome"])].exit_code)


def _looked_at(facts: dict[str, Any]) -> dict[str, Any]:
    """Without what only reading the whole file tells."""
    whole = ("file_id", "seconds", "peak_rss_bytes", "rows_in", "items_out", "charges", "rates", "rows_rejected")
    return {name: value for name, value in facts.items() if name not in whole}


def _by_weight(findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Errors first; of these the header's, which the rows may follow from, then the most frequent."""
    from glimmr.parse.rules.book import HEADER_CODES

    return sorted(
        findings, key=lambda one: (_SEVERITIES.index(one["severity"]), one["code"] not in HEADER_CODES, -one["count"])
    )


def _explained(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding with its rule's sentence and source, and its cells as a spreadsheet names them."""
    from glimmr.parse.findings import RULES

    rule = RULES[finding["code"]]
    examples = [one | {"cell": cell_name(one["position"])} for one in finding["examples"]]
    return finding | {"rule": rule.text, "source": rule.source, "examples": examples}


def _count(facts: Mapping[str, Any], severity: str) -> int:
    return sum(f["count"] for m in facts["members"] for f in m["findings"] if f["severity"] == severity)


def _show_findings(facts: dict[str, Any], count: Mapping[str, int]) -> None:
    for member in facts["members"]:
        typer.echo(_headline(member))
        for finding in member["findings"]:
            _show_finding(finding)
    typer.echo("")
    kinds = {name: sum(f["severity"] == name for m in facts["members"] for f in m["findings"]) for name in _SEVERITIES}
    if facts["outcome"] != Outcome.OK:
        typer.echo(f"{facts['outcome']}: {show.why(facts['message']) or MEANINGS[Outcome(facts['outcome'])].text}")
    told = ", ".join(f"{count[name]:,} x {_words(kinds[name], name)}" for name in _SEVERITIES if kinds[name])
    if told or facts["outcome"] == Outcome.OK:
        verdict = "errors to fix" if count["error"] else "no errors" if facts["outcome"] == Outcome.OK else "besides"
        typer.echo(f"{verdict}: {told or 'nothing was found'}")
    if told:
        typer.echo("each rule and where it comes from: docs/reference/findings.md")


def _words(kinds: int, name: str) -> str:
    return f"{name} of {show.several(kinds, 'kind')}"


def _headline(member: Mapping[str, Any]) -> str:
    read = f"{member['rows_in']:,} items → {member['charges']:,} charges, {member['rates']:,} rates"
    header = member["header"]
    version = f"template {member['template_version']}" if member["template_version"] else None
    said = (member["member"], header["hospital_name"], header["last_updated_on"], member["layout"], version, read)
    return " · ".join(show.clean(one) for one in said if one)


def _show_finding(finding: Mapping[str, Any]) -> None:
    typer.echo(f"\n{finding['severity']:8}{finding['code']}  {finding['count']:,} x\n        {finding['rule']}")
    for one in finding["examples"]:
        value = f" = {one['value']}" if one["value"] else ""
        cell = one["cell"] if one["cell"] == one["position"] else f"{one['cell']} ({one['position']})"
        typer.echo("          " + show.clean(f"{cell}  {_short(one['field'] or '')}{_short(value)}".rstrip()))
    more = finding["count"] - len(finding["examples"])
    if more > 0 and finding["examples"]:
        typer.echo(f"          … and {more:,} more")


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _show_head(kind: str, facts: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    typer.echo(
        f"{kind}, {show.size(facts['bytes'])}" + (f", unpacked: {facts['container']}" if facts["container"] else "")
    )
    for member in facts["members"]:
        typer.echo("")
        typer.echo(show.clean(member["member"] or "the file") + f": {_layout(member)}")
        for name in _HEADER_FACTS:
            value = member["header"][name]
            if value not in (None, (), []):
                typer.echo(f"  {name}: {show.clean(' | '.join(value) if isinstance(value, list | tuple) else value)}")
        if member["columns"]:
            names = [show.clean(name) for name in member["columns"][:_MOST_COLUMNS]]
            more = len(member["columns"]) - len(names)
            where = f" (row {member['header_row']})" if member["header_row"] else ""
            typer.echo(
                f"  {len(member['columns'])} columns{where}: " + ", ".join(names) + (f", … {more} more" * bool(more))
            )
        for finding in member["findings"]:
            first = finding["examples"][0]["cell"] if finding["examples"] else ""
            typer.echo(f"  {finding['severity']} {finding['code']} {show.clean(first)}: {finding['rule']}")
    if rows:
        typer.echo("")
        for row in rows:
            typer.echo("  " + " · ".join(_short(show.clean(one), 60) for one in _told(row)))
    if facts["outcome"] != Outcome.OK:
        typer.echo(f"{facts['outcome']}: {show.why(facts['message'])}")
    else:
        typer.echo("that is the head only; `glimmr validate` reads all of it")


def _told(row: Mapping[str, Any]) -> Iterator[str]:
    """A charge with a rate, value by value, without what is blank."""
    yield row["source_pos"]
    for name in ("description", "code", "setting"):
        if row[name] is not None:
            yield row[name] if name != "code" else f"{row['code_type'] or ''} {row['code']}".strip()
    for name in _AMOUNTS:
        if row.get(name) is not None:
            yield f"{name} {show.money(row[name])}"
    for name in ("payer_name", "plan_name", "negotiated_percentage", "negotiated_algorithm", "methodology"):
        if row.get(name) is not None:
            yield f"{row[name].normalize():f} %" if name == "negotiated_percentage" else row[name]


def _layout(member: Mapping[str, Any]) -> str:
    """What is known of how a member is laid out."""
    version = f"template {member['template_version']}" if member["template_version"] else None
    delimiter = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe"}.get(member["delimiter"] or "")
    ended = "" if member["outcome"] == Outcome.OK else f"{member['outcome']}: {member['message']}"
    facts = (member["format"], member["layout"], version, member["encoding"], delimiter, ended)
    return ", ".join(show.why(fact) for fact in facts if fact) or "nothing of it was reached yet"

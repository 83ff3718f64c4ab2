"""Real files through the whole line: served over loopback HTTP, taken in with `glimmr run --from`, equal to truth."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import line

KINDS = {"mrf_real", "mrf_excerpt", "spec_example"}
AMOUNTS = {
    "gross": "gross_charge",
    "cash": "discounted_cash",
    "minimum": "min_negotiated",
    "maximum": "max_negotiated",
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def manifest(corpus: Path) -> list[dict[str, Any]]:
    rows = [json.loads(text) for text in (corpus / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["kind"] in KINDS and str(row.get("template")).startswith("cms-")]


@pytest.fixture(scope="module")
def truth(corpus: Path) -> dict[str, dict[str, Any]]:
    rows = [json.loads(text) for text in (corpus / "TRUTH.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["sha256"]: row["metrics"] for row in rows if "sha256" in row}


@pytest.fixture(scope="module")
def taken_in(corpus: Path, manifest: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("line")
    serve = functools.partial(_Quiet, directory=str(corpus))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}/"
        rows = [(f"Hospital {n}", "VT", f"47{n:04}", base + quote(row["file"])) for n, row in enumerate(manifest)]
        env = line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1")
        told = line.summary(
            "run", "--from", line.write_list(folder / "l.csv", rows), "--data", folder / "data", env=env
        )
        server.shutdown()
    bare = [row for row in manifest if row["rows"] == 1]  # a header and nothing else: nothing ends ok with zero rows
    outcomes = {(o["outcome"], o["reason"]): o["files"] for o in told["outcomes"]}
    assert outcomes == {("no_price_table", "no_charges"): len(bare), ("ok", ""): len(manifest) - len(bare)}
    yield folder / "data"


def test_every_file_of_a_cms_template_ends_ok_and_is_in_the_table(
    taken_in: Path, manifest: list[dict[str, Any]]
) -> None:
    held = {file_id for (file_id,) in line.bare(taken_in).execute("SELECT file_id FROM files").fetchall()}
    assert held == {row["sha256"] for row in manifest if row["rows"] > 1}


def test_the_price_table_equals_the_truth(
    taken_in: Path, manifest: list[dict[str, Any]], truth: dict[str, Any]
) -> None:
    connection = line.bare(taken_in)
    known = [row for row in manifest if row["sha256"] in truth]
    assert known
    for row in known:
        _equal(connection, row["sha256"], truth[row["sha256"]], row["file"])


def _equal(connection: Any, file_id: str, wanted: dict[str, Any], name: str) -> None:
    def one(query: str) -> Any:
        return connection.execute(query, [file_id]).fetchone()

    codes = "SELECT DISTINCT unnest(codes).code FROM charges WHERE file_id = ?"
    assert one(f"SELECT count(*) FROM ({codes})")[0] == wanted["distinct_codes"], name
    pairs = "SELECT DISTINCT payer_name, coalesce(plan_name, '') FROM rates WHERE file_id = ? AND"
    filled = "coalesce(negotiated_dollar::VARCHAR, negotiated_percentage::VARCHAR, negotiated_algorithm) IS NOT NULL"
    payers = filled if wanted["layout"] == "wide" else "payer_name IS NOT NULL"
    assert one(f"SELECT count(*) FROM ({pairs} {payers})")[0] == wanted["payer_plan"], name
    if wanted["layout"] != "json":
        assert one("SELECT sum(records) FROM charges WHERE file_id = ?")[0] == wanted["item_rows"], name
    for metric, column in AMOUNTS.items():
        found = one(
            f"SELECT sum(records) FILTER ({column} IS NOT NULL), sum({column} * records) FROM charges WHERE file_id = ?"
        )
        _same(found, wanted[metric], f"{name} {metric}")
    found = one("SELECT count(negotiated_dollar), sum(negotiated_dollar) FROM rates WHERE file_id = ?")
    _same(found, wanted["negotiated_dollar"], f"{name} negotiated_dollar")


def _same(found: tuple[int | None, Decimal | None], wanted: dict[str, Any], what: str) -> None:
    count, total = found[0] or 0, found[1] or Decimal(0)
    right = Decimal(wanted["sum"] or 0)
    assert count == wanted["n"], what
    assert abs(total - right) <= max(Decimal("0.01"), abs(right) * Decimal("1e-9")), what


def test_parse_alone_gives_the_same_rows_as_the_line(
    corpus: Path, taken_in: Path, manifest: list[dict[str, Any]], tmp_path: Path
) -> None:
    connection = line.bare(taken_in)
    for number, row in enumerate(manifest):
        to = tmp_path / str(number)
        exit_code = 0 if row["rows"] > 1 else 1
        line.glimmr("parse", corpus / row["file"], "--to", f"{to}/", env=line.environment(), exit_code=exit_code)
        for table in ("charges", "rates"):
            if not (to / f"{table}.parquet").exists():
                wanted = f"SELECT count(*) FROM {table} WHERE file_id = '{row['sha256']}'"
                assert connection.execute(wanted).fetchone() == (0,), row["file"]
                continue
            alone = f"SELECT to_json(t)::VARCHAR FROM read_parquet('{to}/{table}.parquet') AS t"
            ours = f"SELECT to_json(t)::VARCHAR FROM {table} AS t WHERE file_id = '{row['sha256']}'"
            for left, right in ((alone, ours), (ours, alone)):
                assert connection.execute(f"({left}) EXCEPT ALL ({right})").fetchall() == [], row["file"]

"""How many bytes of a price list a lookup of one code reads.

python bench/lookup.py --mb 2000

The price list is that of a generated JSON file whose codes are drawn at random from 90,000: at 2 GB a code stands at
about ten places all over the file, the worst case for data in source order. DuckDB asks, as `glimmr sql` does; the
bytes are those that its process reads from files (`rchar` of /proc/self/io, so Linux only), footers included. Asked
for every column it reads more: for columns that are lists or maps it fetches a megabyte of each row group it opens.
"""

import argparse
import json
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import process
from files import write

PRICES = "payer_name, plan_name, negotiated_dollar, methodology, gross_charge, discounted_cash, description, setting"


def parsed(path: Path, to: Path) -> None:
    """Parse into `to`."""
    from glimmr.parse import parse_in_child  # noqa: PLC0415

    parse_in_child(lambda **_: None, path=str(path), to=str(to), file_id="0" * 64, limits={})


def looked_up(folder: Path, columns: str) -> dict[str, Any]:
    """Bytes read for the rows of one code (the first charge's), of how many there are."""
    import duckdb  # noqa: PLC0415

    files = {name: folder / f"{name}.parquet" for name in ("charges", "rates")}
    with duckdb.connect() as connection:
        for name, path in files.items():
            connection.execute(f"CREATE VIEW {name} AS FROM '{path}'")
        connection.execute(resources.files("glimmr.query").joinpath("views", "prices.sql").read_text(encoding="utf-8"))
        code = duckdb.sql(f"SELECT hcpcs FROM '{files['charges']}' ORDER BY charge_id LIMIT 1").fetchall()[0][0]
        before = _read_bytes()
        rows = connection.execute(f"SELECT {columns} FROM prices WHERE hcpcs = $code", {"code": code}).fetchall()
        read = _read_bytes() - before
    return {"rows": len(rows), "read": read, "size": sum(path.stat().st_size for path in files.values())}


def _read_bytes() -> int:
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def share(folder: Path, columns: str) -> float:
    """Print and return which part of the price list's bytes a lookup read."""
    told = process.run(looked_up, folder, columns).told
    part = told["read"] / told["size"]
    what = "every column" if columns == "*" else "prices"
    print(f"{what}: {told['rows']} rows, {told['read'] / 1e6:.1f} of {told['size'] / 1e6:.1f} MB read = {part:.1%}")
    return part


def main() -> None:
    """Generate, parse, look up."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mb", type=int, default=2000)
    arguments.add_argument("--report", type=Path, help="where the figures are written as JSON")
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "bench.json"
        write(path, "json", given.mb * 1_000_000)
        process.run(parsed, path, Path(folder))
        told = {"prices": share(Path(folder), PRICES), "every column": share(Path(folder), "*")}
    if given.report:
        given.report.write_text(json.dumps(told))


if __name__ == "__main__":
    main()

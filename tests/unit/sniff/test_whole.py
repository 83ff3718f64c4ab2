"""Whether a file was cut."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from glimmr.sniff import whole

CSV = b"description,code|1,setting\n" + b"a,b,c\n" * 40
ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as archive:
    archive.writestr("a.csv", CSV)


CASES = [
    (b'{"a": [1, 2]}\n', None),
    (b'{"a": [1, 2', "truncated"),
    (gzip.compress(CSV, mtime=0), None),
    (gzip.compress(CSV, mtime=0) * 2, None),
    (gzip.compress(CSV, mtime=0)[:-3], "truncated"),
    (gzip.compress(CSV)[:10] + b"\xff" * 40, None),
    (ZIP.getvalue(), None),
    (ZIP.getvalue()[:-30], "truncated"),
    (CSV, None),
    (CSV + b"a,b,c", None),
    (CSV + b"a,b", "suspect_truncated"),
    (b"", None),
    (b"%PDF-1.4", None),
]


@pytest.mark.parametrize(("data", "reason"), CASES, ids=[str(at) for at in range(len(CASES))])
def test_a_cut_file_says_so(tmp_path: Path, data: bytes, reason: str | None) -> None:
    (tmp_path / "file").write_bytes(data)
    assert whole(tmp_path / "file") == reason

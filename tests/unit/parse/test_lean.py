import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from glimmr.parse.lean import lean

from .papers import PREAMBLE, TALL

_PARSE = """
import json, sys
from glimmr.parse import parse_in_child
told = parse_in_child(lambda **_: None, path=sys.argv[1], to=sys.argv[2], file_id=None, limits={})
print(json.dumps([told["outcome"], "pandas" in sys.modules]))
import pandas, pyarrow
print(pyarrow.table({"a": [1]}).to_pandas()["a"][0])
"""


def test_parsing_imports_no_pandas_and_leaves_it_usable(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "in").write_text(PREAMBLE + TALL + "Item,1,CPT,both,5,,,,,,\n")
    command = [sys.executable, "-W", "ignore", "-c", _PARSE, str(tmp_path / "in"), str(tmp_path / "out")]
    told, later = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(told) == ["ok", False]
    assert later == "1"


def test_the_collector_works_again_after_parsing() -> None:
    with pytest.raises(RuntimeError), lean():
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()

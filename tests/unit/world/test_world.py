"""The world as a function of its seed: who stands where, and what must come of each address."""

import ast
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import glimmr.world
from glimmr.outcomes import Outcome, is_reason
from glimmr.world import World, world
from glimmr.world.mixes import MIXES, RECIPES
from glimmr.world.places import STATES
from glimmr.world.prices import Shape, blocks
from glimmr.world.scripts import outcome_of
from glimmr.world.vocabulary import COMMON

_TELL = (
    "import hashlib, json; from glimmr.world import world;"
    "print(hashlib.sha256(json.dumps(world(5, 14, 'demo').truth()).encode()).hexdigest())"
)


@pytest.fixture(scope="module")
def demo() -> World:
    return world(7, 80, "demo")


def test_two_processes_build_the_same_world() -> None:
    told = subprocess.run([sys.executable, "-c", _TELL], capture_output=True, text=True, check=True, timeout=60)
    here = hashlib.sha256(json.dumps(world(5, 14, "demo").truth()).encode()).hexdigest()
    assert told.stdout.strip() == here


def test_another_seed_is_another_world() -> None:
    assert world(1, 10, "clean").truth() != world(2, 10, "clean").truth()


def test_the_states_dc_and_the_territories_all_have_hospitals() -> None:
    states = Counter(hospital.state for hospital in world(7, 112, "clean").hospitals)
    assert len(states) == len(STATES) == 56
    assert {"DC", "PR", "GU", "VI", "AS", "MP", "WY"} <= set(states)
    assert set(states.values()) == {2}


def test_certification_numbers_are_padded_unique_and_tell_the_state() -> None:
    hospitals = world(7, 1000, "clean").hospitals
    assert len({hospital.ccn for hospital in hospitals}) == 1000
    for hospital in hospitals:
        assert len(hospital.ccn) == 6
        assert hospital.ccn.startswith(STATES[hospital.state].ccn_prefix)
    assert any(hospital.ccn.startswith("0") for hospital in hospitals)


def test_about_three_in_ten_files_stand_on_a_few_vendor_hosts() -> None:
    files = world(7, 1000, "clean").files
    vendors = Counter(file.host for file in files if file.host.startswith("files.vendor"))
    assert len(vendors) == 4
    assert 0.2 < vendors.total() / len(files) < 0.4


def test_addresses_are_unique_and_hospitals_share_double_and_lack_files(demo: World) -> None:
    assert len({file.url for file in demo.files}) == len(demo.files)
    assert any(len(file.hospitals) == 3 for file in demo.files)
    numbers = Counter(len(demo.files_of(hospital)) for hospital in demo.hospitals)
    assert set(numbers) == {0, 1, 2}
    assert Counter(file.content for file in demo.files).most_common(1)[0][1] == 2


def test_the_demo_has_every_recipe_every_fault_and_two_large_files(demo: World) -> None:
    made = Counter((shape.kind, shape.version, shape.quirks) for file in demo.files for shape in file.content.shapes)
    assert {(recipe.kind, recipe.version, recipe.quirks) for recipe in RECIPES} == set(made)
    assert {file.content.encoding for file in demo.files} == {"utf-8", "utf-8-sig", "cp1252", "cp1252-tail"}
    assert {file.content.container for file in demo.files} == {"plain", "gzip", "zip"}
    scripts = Counter(file.script for file in demo.files)
    assert {script for script, _ in MIXES["demo"].scripts} | {"ok"} == set(scripts)
    assert sum(file.rows > 5000 for file in demo.files) == 2
    assert len({hospital.state for hospital in demo.hospitals}) == 10


def test_the_truth_promises_rows_only_where_the_file_can_be_had(demo: World) -> None:
    for file in demo.files:
        if outcome_of(file.script)[0] != "ok":
            assert file.expect.digest is None
            assert file.expect.rows_in is None


def test_an_expected_outcome_is_one_of_the_closed_list() -> None:
    scripts = {script for mix in MIXES.values() for script, _ in mix.scripts}
    scripts |= {"401", "406", "451", "418", "500", "503", "loop", "drip", "len+10", "chunkcut@50%", "ua(Mozilla)"}
    for script in scripts:
        outcome, reason = outcome_of(script)
        assert is_reason(Outcome(outcome), reason), script


def test_the_common_codes_have_a_price_in_most_files_and_not_the_same(demo: World) -> None:
    shapes: list[Shape] = [file.content.shapes[0] for file in demo.files]
    prices: dict[str, set[int]] = {}
    for shape in shapes:
        block, _ = next(blocks(shape))
        for item in block.items[: len(COMMON)]:
            cents = block.cents[int(item.charges[0].gross[1:-1])] if item.charges[0].gross.startswith("\ue000") else 0
            prices.setdefault(item.codes[0][0], set()).add(cents)
    assert len(prices["27447"]) > 0.6 * len(shapes)
    assert {"470", "70551", "45380"} <= set(prices)


def test_the_world_imports_nothing_of_the_product() -> None:
    folder = Path(glimmr.world.__file__).parent
    for module in folder.glob("*.py"):
        names = [name for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) for name in _imported(node)]
        assert names, module
        foreign = [name for name in names if name.partition(".")[0] not in sys.stdlib_module_names]
        assert all(name.startswith("glimmr.world") for name in foreign), (module.name, foreign)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []

"""The bytes of simulated files, read back by a reader that shares nothing with their writer."""

import csv
import gzip
import io
import json
import zipfile
from dataclasses import replace

import pytest

from glimmr.world.content import Content, generate, sized, write_file
from glimmr.world.mixes import RECIPES, Recipe
from glimmr.world.prices import Shape
from glimmr.world.publisher import Publisher
from glimmr.world.truth import counts, rows
from tests.unit.world.independent_reader import read

PUBLISHER = Publisher(name="Hospital Señorial", state="PR", places=(("Hospital Señorial", "1 Calle Sol, Ponce"),))


def content_of(recipe: Recipe, items: int = 230) -> Content:
    shapes = tuple(
        Shape(key=f"test/{table}", kind=recipe.kind, version=recipe.version, items=items, quirks=recipe.quirks)
        for table in range(recipe.tables)
    )
    return Content(shapes=shapes, publisher=PUBLISHER, encoding=recipe.encoding, container=recipe.container)


def name_of(recipe: Recipe) -> str:
    words = (recipe.kind, recipe.version, recipe.encoding, recipe.container, *sorted(recipe.quirks))
    return "-".join(words)


@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_a_file_of_every_recipe_holds_what_the_truth_says(recipe: Recipe) -> None:
    content = content_of(recipe)
    assert read(b"".join(content.chunks())) == counts(content.shapes)


@pytest.mark.parametrize("kind", ["tall", "wide", "json"])
def test_a_long_file_of_repeated_blocks_holds_what_the_truth_says(kind: str) -> None:
    content = sized(kind, "3.0.0", rows=1234)
    truth = counts(content.shapes)
    assert read(b"".join(content.chunks())) == truth
    assert truth.charges > 1234
    assert truth.rows_in == {"tall": truth.rows_in, "wide": truth.charges, "json": 1234}[kind]


def test_the_digest_sees_one_changed_cent() -> None:
    content = sized("tall", rows=150)
    data = b"".join(content.chunks())
    price = next(row[4] for row in rows(content.shapes[0]) if row[4])
    changed = data.replace(str(price).rstrip("0").encode(), b"1.01", 1)
    assert changed != data
    assert read(changed).digest != counts(content.shapes).digest


@pytest.mark.parametrize("kind", ["tall", "wide", "json"])
def test_a_generated_file_comes_in_small_pieces_and_has_about_the_size_asked_for(kind: str) -> None:
    pieces = [len(piece) for piece in generate(kind, size_bytes=8_000_000)]
    assert max(pieces) < 1_000_000
    assert 7_200_000 < sum(pieces) < 8_800_000


def test_a_huge_file_starts_at_once() -> None:
    stream = generate("json", size_bytes=10**12)
    assert b"standard_charge_information" in next(stream)
    assert b"description" in next(stream)


def test_write_file_writes_what_generate_streams() -> None:
    out = io.BytesIO()
    assert write_file(out, "wide", size_bytes=300_000) == len(out.getvalue())
    assert out.getvalue() == b"".join(generate("wide", size_bytes=300_000))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    same = [b"".join(generate("tall", rows=120, seed=seed)) for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe.encoding == "cp1252-tail"], ids=name_of)
def test_bytes_that_are_no_utf8_come_only_near_the_end(recipe: Recipe) -> None:
    data = b"".join(content_of(recipe, items=350).chunks())
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode()
    assert caught.value.start > len(data) * 0.7


def test_late_accents_leave_everything_before_the_last_block_ascii() -> None:
    recipe = next(recipe for recipe in RECIPES if "late_accents" in recipe.quirks)
    data = b"".join(replace(content_of(recipe, items=350), publisher=replace(PUBLISHER, places=(), name="A")).chunks())
    first = next(place for place, byte in enumerate(data) if byte > 127)
    assert first > len(data) * 0.7


def test_an_archive_of_two_tables_also_has_the_junk_of_macos() -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.tables == 2)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(content_of(recipe).chunks())))
    assert archive.testzip() is None
    assert [name.startswith("__MACOSX/._") for name in archive.namelist()] == [False, True, False, True]


def header_of(version: str, kind: str, *quirks: str) -> list[str]:
    text = b"".join(generate(kind, version, rows=1, quirks=("no_preamble", *quirks))).decode()
    return next(csv.reader(io.StringIO(text)))


def test_a_metric_stands_before_the_payer_in_wide_headers_and_the_charge_around_it() -> None:
    header = header_of("3.0.0", "wide")
    dollars = [name.split("|") for name in header if name.endswith("|negotiated_dollar")]
    assert dollars
    for _, payer, plan, _ in dollars:
        assert {f"median_amount|{payer}|{plan}", f"count|{payer}|{plan}"} <= set(header)


def test_each_template_version_has_its_own_amounts() -> None:
    assert "estimated_amount" in header_of("2.0.0", "tall")
    assert "estimated_amount" not in header_of("2.1.0", "tall")
    assert "estimated_amount" in header_of("2.2.0", "tall")
    assert {"median_amount", "10th_percentile", "90th_percentile", "count"} <= set(header_of("3.0.0", "tall"))
    assert not {"estimated_amount"} & set(header_of("3.0.0", "tall"))


def test_a_payer_without_a_plan_has_no_plan_part_in_the_header() -> None:
    assert any(len(name.split("|")) == 3 for name in header_of("2.2.1", "wide", "no_plan") if name.endswith("dollar"))


@pytest.mark.parametrize("version", ["2.0.0", "2.1.0", "2.2.0", "2.2.1", "3.0.0"])
def test_json_roots_have_the_members_their_schema_requires(version: str) -> None:
    root = json.loads(b"".join(generate("json", version, rows=3)))
    is_v3 = version == "3.0.0"
    needed = {"location_name", "attestation", "type_2_npi"} if is_v3 else {"hospital_location", "affirmation"}
    common = {"hospital_name", "last_updated_on", "version", "hospital_address", "license_information"}
    assert needed | common <= set(root)
    assert root["version"] == version


def test_a_gzip_of_the_same_content_is_the_same_bytes() -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.container == "gzip")
    first, second = (b"".join(content_of(recipe).chunks()) for _ in range(2))
    assert first == second
    assert gzip.decompress(first).startswith(b"hospital_name")


def test_messy_files_hold_texts_zeros_and_sentinels() -> None:
    data = b"".join(generate("tall", "2.2.0", rows=800, quirks=("messy",)))
    for mess in (b"N/A", b'"$', b",0,", b"999999999", "é".encode()):
        assert mess in data

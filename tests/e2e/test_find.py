"""From a roster and a list to who has prices and who has not: `scan`, `hospitals`, `hospital`, `find`, `coverage`."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from glimmr import app
from glimmr.settings import Settings
from tests.support import line
from tests.support.shop import Shop, open_shop

_COLUMNS = "facility_id,facility_name,address,citytown,state,zip_code,hospital_type,hospital_ownership"
_ROSTER = (
    ("470001", "GENERAL HOSPITAL", "1 Main St", "BURLINGTON", "Acute Care Hospitals"),
    ("470002", "OLD MILL HOSPITAL", "2 Mill Rd", "MONTPELIER", "Acute Care Hospitals"),
    ("470003", "SAINT MARY'S HOSPITAL", "3 Hill Rd", "RUTLAND", "Acute Care Hospitals"),
    ("470004", "QUIET VALLEY HOSPITAL", "4 Quiet Ln", "NEWPORT", "Critical Access Hospitals"),
    ("47001F", "WHITE RIVER VA MEDICAL CENTER", "5 Ave", "HARTFORD", "Acute Care - Veterans Administration"),
    ("470009", "", "6 Nameless Rd", "BARRE", "Acute Care Hospitals"),
)
_CSV = "/roster/download?format=csv"  # what is asked for where the API has no pages
_WIDTH = 80
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def _today(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).date().isoformat()


def _file(name: str, address: str, days_ago: int) -> bytes:
    return (
        "hospital_name,last_updated_on,version,hospital_location,hospital_address,license_number|VT\n"
        f'{name},{_today(days_ago)},2.2.0,{name},"{address}, VT 05401",123\n'
        "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash\n"
        "MRI of the brain,70551,CPT,outpatient,1000.00,500.00\n"
    ).encode()


class Town:
    """A shop that also serves CMS's roster, a list of the user's own, and the program with its data."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.folder, self.data = shop, folder, folder / "data"
        rows = "".join(f"{ccn},{name},{street},{city},VT,05401,{kind},\n" for ccn, name, street, city, kind in _ROSTER)
        shop.files |= {
            _CSV: f"{_COLUMNS}\n{rows}".encode(),
            "/general.csv": _file("General Hospital", "1 Main St, Burlington", 10),
            "/old.csv": _file("Old Mill Hospital", "2 Mill Rd, Montpelier", 900),
        }
        self.env = line.environment(
            GLIMMR_ALLOW_ADDRESSES="127.0.0.1",
            GLIMMR_SOURCES="cms_roster,cms_hpt",
            GLIMMR_CMS_ROSTER_URL=f"{shop.base}/roster",
            GLIMMR_CMS_CATALOG_URL="off",
            GLIMMR_CRAWL_DELAY_SECONDS="0",
            GLIMMR_DATA=str(self.data),
        )

    def list_of(self, general: str) -> Path:
        rows = [
            ("General\x1b[2J Hospital", "VT", "470001", self.shop.base + general),
            ("Old Mill", "VT", "470002", self.shop.base + "/old.csv"),
            ("Saint Mary's", "VT", "470003", self.shop.base + "/gone.csv?token=s3cr3t"),
        ]
        return line.write_list(self.folder / "list.csv", rows)

    def said(self, *words: str | Path, exit_code: int = 0) -> str:
        return line.glimmr(*words, env=self.env, exit_code=exit_code).stdout

    def told(self, *words: str | Path, exit_code: int = 0) -> Any:
        return json.loads(self.said(*words, "--json", exit_code=exit_code))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Scanned, and brought home."""
    with open_shop() as shop:
        built = Town(shop, tmp_path_factory.mktemp("town"))
        scanned = built.told("scan", "--state", "Vermont", "--from", built.list_of("/general.csv"))
        assert scanned["found"] == 3
        assert scanned["listed"] == 5
        assert scanned["new"] == {"addresses": 3, "hospitals": 5}
        assert scanned["skipped"] == {"no hospital name": 1}
        assert (scanned["failed"], scanned["ours"], scanned["interrupted"]) == ([], False, False)
        assert scanned["waiting"] == {"scan": 0, "download": 3}
        assert not {"/general.csv", "/old.csv"} & set(shop.asked), "a scan downloads nothing"
        built.said("worker", "--drain")
        yield built


def test_coverage_counts_against_the_roster_and_its_columns_add_up(town: Town) -> None:
    told = town.told("coverage")
    (state,) = told["states"]
    assert list(told["roster_read"]) == ["VT"]
    assert {name: state[name] for name in ("state", "roster", "exempt", "must_publish", "address", "prices")} == {
        "state": "VT", "roster": 5, "exempt": 1, "must_publish": 4, "address": 3, "prices": 2,
    }  # fmt: skip
    assert (state["fresh"], state["without_prices"], state["nobody_knows"]) == (1, {"gone": 1}, 1)
    assert (state["percent"], state["others"]) == (50.0, 0)
    assert told["total"] == {name: value for name, value in state.items() if name != "state"}
    said = town.said("coverage")
    assert "CMS's roster was read of VT" in said
    assert "1 gone" in said


def test_hospitals_without_an_address_are_told_and_exempt_ones_apart(town: Town) -> None:
    told = town.told("hospitals", "--missing-file")
    assert [(one["ccn"], one["exempt_reason"]) for one in told["hospitals"]] == [
        ("470004", None),
        ("47001F", "veterans_affairs"),
    ]
    assert "exempt: veterans" in town.said("hospitals", "--missing-file", "--state", "vermont")
    listed = {one["ccn"]: one for one in town.told("hospitals")["hospitals"]}
    assert (listed["470001"]["files"], listed["470001"]["outcome"]) == (1, "ok")
    assert listed["470002"]["as_of"] == _today(900)
    assert listed["470003"]["standing"] == "gone"
    assert "the first 2 of 5" in town.said("hospitals", "--limit", "2")


def test_one_hospital_is_told_with_the_source_of_each_field(town: Town) -> None:
    told = town.told("hospital", "470001")
    assert told["name"] == "GENERAL HOSPITAL"
    assert told["field_sources"]["name"] == "cms_roster"
    assert told["other_names"] == ["General [2J Hospital"]
    (address,) = told["addresses"]
    assert (address["standing"], address["match_method"], address["verified_method"]) == (
        "prices",
        "ccn",
        "name+address",
    )
    assert address["header"]["location_names"] == ["General Hospital"]
    (snapshot,) = told["snapshots"]
    assert (snapshot["outcome"], snapshot["layout"], snapshot["is_current"]) == ("ok", "tall", True)
    assert told["freshness"] == {"last_updated_on": _today(10), "age_days": 10, "fresh": True}
    assert [one["what"] for one in told["history"]] == ["new"]
    assert {one["source"] for one in told["answers"]} == {"cms_roster", "listing"}
    assert "older than the year" in town.said("hospital", "470002")


def test_neither_a_token_nor_an_escape_of_a_name_is_shown(town: Town) -> None:
    for words in (["hospital", "470003"], ["find", "470003", "--why"], ["hospital", "470001"], ["find", "general"]):
        for more in ([], ["--json"]):
            said = town.said(*words, *more)
            assert "s3cr3t" not in said
            assert "\x1b" not in said


@pytest.mark.parametrize(
    ("text", "ccns"),
    [
        ("st marys", ["470003"]),
        ("mary rutland", ["470003"]),
        ("470-002", ["470002"]),
        ("General Hosp", ["470001"]),
        ("burlington", ["470001"]),
    ],
)
def test_a_hospital_is_found_by_what_people_know_of_it(town: Town, text: str, ccns: list[str]) -> None:
    assert [one["ccn"] for one in town.told("find", text)["hospitals"]] == ccns


def test_near_misses_are_offered_where_nobody_is_called_so(town: Town) -> None:
    told = town.told("find", "quiett vally", exit_code=1)
    assert [one["ccn"] for one in told["near"]] == ["470004"]
    assert "did you mean\n  470004" in town.said("find", "quiett vally", exit_code=1)
    assert "glimmr scan --all" in town.said("find", "xyzzy", exit_code=1)


def test_why_says_who_was_asked_and_who_could_not_be(town: Town) -> None:
    (quiet,) = town.told("find", "quiet valley", "--why")["why"]
    assert [(one["source"], one["place"], one["outcome"]) for one in quiet["answers"]] == [("cms_roster", "VT", "ok")]
    assert "no site of this hospital is known" in quiet["not_asked"]["cms_hpt"]
    assert quiet["standing"] == "nobody_knows"
    (mary,) = town.told("find", "saint mary", "--why")["why"]
    assert [(one["standing"], one["reason"]) for one in mary["addresses"]] == [("gone", "not_found")]
    assert [one["source"] for one in mary["addresses"][0]["named_by"]] == ["listing"]


@pytest.mark.parametrize("words", [["hospitals"], ["coverage"], ["hospital", "470001"]])
def test_tables_fit_a_terminal(town: Town, words: list[str]) -> None:
    said = line.glimmr(*words, env=town.env | {"COLUMNS": str(_WIDTH), "FORCE_COLOR": "1"}).stdout
    shown = [_STYLE.sub("", text).rstrip() for text in said.splitlines() if "\x1b" in text]
    assert shown, "rich takes this for a terminal"
    assert max(map(len, shown)) <= _WIDTH


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["scan"], "name a source with --state VT"),
        (["scan", "--state", "Vermnt"], "did you mean VT?"),
        (["scan", "--domain", "hospital"], "looks like hospital.org"),
        (["scan", "--from", "nothing.csv"], "nothing.csv"),
        (["hospitals", "--state", "Vermnt"], "did you mean VT?"),
        (["find", " "], "TEXT is empty"),
        (["hospital", "999999"], "`glimmr find` finds them"),
        (["coverage", "--data", "elsewhere"], "there is nothing in elsewhere yet"),
    ],
)
def test_wrong_usage_says_what_to_do_next(town: Town, words: list[str], hint: str) -> None:
    assert hint in line.glimmr(*words, env=town.env, exit_code=2).stderr


def test_an_address_that_moves_is_told_and_remembered(tmp_path: Path) -> None:
    with open_shop() as shop:
        town = Town(shop, tmp_path)
        town.said("scan", "--from", town.list_of("/general.csv"))
        scanned = town.told("scan", "--from", town.list_of("/new.csv"))
        assert (scanned["new"], scanned["changes"]) == ({"addresses": 1, "hospitals": 0}, {"moved": 1})
        told = town.told("hospital", "470001")
        other = town.list_of("/general.csv").rename(tmp_path / "other.csv")  # names the old address once more
        town.said("scan", "--from", other)
        town.list_of("/new.csv").rename(other)
        assert town.told("scan", "--from", other)["changes"] == {}  # the move was told
    addresses = {one["url"].removeprefix(shop.base): one for one in told["addresses"]}
    assert {path: one["standing"] for path, one in addresses.items()} == {
        "/general.csv": "moved",
        "/new.csv": "waiting",
    }
    assert addresses["/general.csv"]["moved_to"] == f"{shop.base}/new.csv"
    assert addresses["/general.csv"]["named_by"][0]["gone_at"]
    assert [(one["what"], one["detail"]) for one in told["history"]] == [
        ("new", ""),
        ("new", ""),
        ("moved", f"{shop.base}/new.csv"),
    ]


def test_a_source_that_fails_ends_with_its_reason_and_changes_nothing(town: Town) -> None:
    before = town.told("hospitals")
    roster = town.shop.files.pop(_CSV)
    try:
        scanned = town.told("scan", "--state", "VT", exit_code=1)
    finally:
        town.shop.files[_CSV] = roster
    (failed,) = scanned["failed"]
    assert (failed["source"], failed["place"], failed["reason"]) == ("cms_roster", "VT", "not_found")
    assert (scanned["answered"], scanned["found"]) == (0, 0)
    assert town.told("hospitals") == before


@pytest.mark.parametrize("words", [["coverage"], ["hospitals", "--missing-file"], ["find", "mary"]])
def test_while_sources_are_still_asked_it_is_said_that_more_may_be_known_later(
    town: Town, tmp_path: Path, words: list[str]
) -> None:
    shutil.copytree(town.data, tmp_path / "data")
    assert "no answer yet" not in town.said(*words, "--data", tmp_path / "data")
    settings = Settings(data=tmp_path / "data")
    app.put_questions(settings, [("pra", "NH"), ("pra", "ME")], refresh=False)
    assert "2 questions to sources have no answer yet" in town.said(*words, "--data", tmp_path / "data")


def test_before_anything_is_known_every_command_says_how_to_begin(tmp_path: Path) -> None:
    with open_shop() as shop:
        town = Town(shop, tmp_path)
        town.said("scan", "--from", line.write_list(tmp_path / "none.csv", []), exit_code=0)
        assert "`glimmr scan --all` asks the sources" in town.said("hospitals")
        assert "no hospital in VT is known yet" in town.said("hospitals", "--missing-file", "--state", "VT")
        assert "roster of hospitals was not read yet" in town.said("coverage")
        assert town.told("coverage")["total"]["percent"] is None
        assert "asks the sources who else there is" in town.said("find", "mary", exit_code=1)

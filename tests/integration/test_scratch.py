"""Scratch on a disk of its own: a setting, checked before it is needed, and swept of nothing that is not ours."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr import app, looking
from glimmr.errors import DiskFull, StorageFault, UsageError
from glimmr.jobs import selection
from glimmr.settings import Settings, load
from glimmr.stores.scratch import check_scratch, make_scratch, scratch_of
from tests.support import line
from tests.support.shop import Shop, open_shop, table


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk than the data folder's."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second filesystem to write to")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def settings_of(folder: Path, scratch: Path | None, **more: float) -> Settings:
    given = {"min_free_bytes": 1, "retry_scale": 0.001, "max_attempts": 2, "patience_seconds": 5.0} | more
    return load(data=folder / "data", scratch=scratch, allow_addresses=("127.0.0.1",), **given)


def listed(folder: Path, shop: Shop) -> list[tuple[str, str]]:
    path = line.write_list(folder / "list.csv", [("H", "VT", "470000", f"{shop.base}/a")])
    return [("listing", str(path))]


def test_a_file_that_grew_on_another_disk_is_published_and_only_what_is_ours_is_swept(
    shop: Shop, tmp_path: Path, elsewhere: Path
) -> None:
    shop.files["/a"] = table(20)
    settings = settings_of(tmp_path, elsewhere)
    theirs = elsewhere / "theirs"
    theirs.write_text("theirs")
    ours = scratch_of(settings)
    (ours / "parse-9-9").mkdir(parents=True)  # of a run that was killed
    with app.working(settings) as parts:
        assert parts.partials.is_relative_to(elsewhere)
        asyncio.run(app.walk(parts, listed(tmp_path, shop), refresh=False, stop=asyncio.Event()))
    told = looking.status(settings)
    assert told["counts"]["published"] == 1
    assert told["scratch"]["folder"] == str(ours)
    assert told["scratch"]["free_bytes"] > 0
    assert [path for path in ours.rglob("*") if path.is_file()] == []
    assert theirs.read_text() == "theirs"
    assert not (settings.data / "scratch").exists()
    assert app.doctor(settings, fix=False)[1] == 0


def test_no_hospital_is_asked_while_scratch_is_gone_and_status_and_doctor_say_so(shop: Shop, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tmp_path / "disk")
    with app.working(settings) as parts:
        shutil.rmtree(tmp_path / "disk")  # as when a disk is unmounted
        stop = asyncio.Event()

        async def until_handed_back() -> None:
            walking = asyncio.ensure_future(app.walk(parts, listed(tmp_path, shop), refresh=False, stop=stop))
            while not parts.database.read(lambda connection: selection.held_up(connection, 1)):
                assert not walking.done()
                await asyncio.sleep(0.02)
            stop.set()
            await walking

        asyncio.run(until_handed_back())
    assert shop.asked == []
    assert not (tmp_path / "disk").exists()
    told = looking.status(settings)
    assert "GLIMMR_SCRATCH" in told["scratch"]["fault"]
    assert [(held["step"], held["jobs"]) for held in told["held_up"]] == [("download", 1)]
    assert "GLIMMR_SCRATCH" in told["held_up"][0]["message"]
    said = line.glimmr("status", "--data", settings.data, env=line.environment(GLIMMR_SCRATCH=str(tmp_path / "disk")))
    assert "no download can begin: scratch" in said.stdout
    examined, remaining = app.doctor(settings, fix=False)
    assert [one["invariant"] for one in examined if one["fault"]] == ["scratch_takes_bytes"]
    assert remaining == 1
    env = line.environment(GLIMMR_SCRATCH=str(tmp_path / "disk"))
    said = line.glimmr("doctor", "--data", settings.data, env=env, exit_code=1)
    assert "1 wrong: what cannot be repaired or looked at wants the cure named above it" in said.stdout
    shop.files["/a"] = table(20)
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [], refresh=False, stop=asyncio.Event()))
    assert looking.status(settings)["counts"]["published"] == 1


def test_a_scratch_that_cannot_be_used_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="GLIMMR_SCRATCH"):
        make_scratch(settings_of(tmp_path, tmp_path / "file"))
    full = settings_of(tmp_path, tmp_path / "disk", min_free_bytes=2**50)
    make_scratch(full)
    with pytest.raises(DiskFull, match="GLIMMR_MIN_FREE_BYTES"):
        check_scratch(full)
    with pytest.raises(StorageFault, match="is gone"):
        check_scratch(settings_of(tmp_path, tmp_path / "none"))


def test_two_data_folders_may_share_a_disk_for_scratch(tmp_path: Path) -> None:
    one, two = (settings_of(tmp_path / name, tmp_path / "disk") for name in ("one", "two"))
    assert scratch_of(one) != scratch_of(two)
    assert scratch_of(settings_of(tmp_path, None)) == tmp_path / "data" / "scratch"

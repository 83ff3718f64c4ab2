"""Ordinary mistakes, where they are noticed: each is told as wrong usage, with what to do."""

import os
from pathlib import Path

import pytest

from glimmr import app, fleet, looking, watching
from glimmr.errors import UsageError
from glimmr.scan.sources.listing import check_list
from glimmr.settings import Settings
from glimmr.stores.folder_lock import FolderLock, holder


def test_a_file_cannot_be_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("name,state,ccn,url\n")
    with pytest.raises(UsageError, match=r"l\.csv cannot be the data folder .*--data"):
        FolderLock.take(tmp_path / "l.csv")
    assert holder(tmp_path / "l.csv") is None
    with pytest.raises(UsageError, match="cannot be the data folder"):
        FolderLock.take(tmp_path / "l.csv" / "below")


def test_a_folder_that_cannot_be_made_is_no_data_folder() -> None:
    with pytest.raises(UsageError, match="cannot be the data folder"):
        FolderLock.take(Path("/proc/glimmr"))


@pytest.mark.parametrize("name", ["p%20c", "back\\slash", "new\nline", "\udcfc"])
def test_a_path_that_the_price_tables_library_reads_otherwise_is_refused_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="cannot be the data folder"):
        FolderLock.take(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_lock_cannot_be_written_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "glimmr.lock").mkdir()  # who may do everything is refused this, too
    with pytest.raises(UsageError, match="cannot be the data folder"):
        FolderLock.take(tmp_path)


def test_scratch_on_another_disk_is_emptied_and_the_link_to_it_stays(tmp_path: Path) -> None:
    other, data, kept = tmp_path / "other", tmp_path / "data", tmp_path / "kept"
    for folder in (other / "parse-1-1", data, kept):
        folder.mkdir(parents=True)
    (other / "parse-1-1" / "half").write_text("")
    (other / "1.download").write_text("")
    (kept / "mine").write_text("")
    (other / "link").symlink_to(kept)
    (data / "scratch").symlink_to(other)
    with app.working(Settings(data=data, min_free_bytes=0)):
        pass
    assert (data / "scratch").is_symlink()
    assert list(other.iterdir()) == []
    assert (kept / "mine").exists()


def test_scratch_on_a_disk_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "scratch").symlink_to(tmp_path / "unmounted")
    with (
        pytest.raises(UsageError, match="scratch cannot be a folder"),
        app.working(Settings(data=tmp_path, min_free_bytes=0)),
    ):
        pass


@pytest.mark.parametrize("row", ['"' + "x" * 200_000 + '",VT,470001,https://a.example/x', 'A,VT,470001,"\0"'])
def test_a_list_that_is_no_csv_is_refused_before_any_work(tmp_path: Path, row: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"name,state,ccn,url\nA,VT,470001,https://a.example/x\n{row}\n")
    with pytest.raises(UsageError, match=r"the list .*list\.csv"):
        check_list(path)


def test_looking_into_a_folder_in_which_nothing_can_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path / "data", min_free_bytes=0)
    with app.working(settings):
        pass
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write everywhere
    with pytest.raises(UsageError, match=r"ask as its owner.*`prices` and `sql`"):
        looking.status(settings)
    owner = (tmp_path / "data").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UsageError, match=r"another user's.*GLIMMR_OPS_ADDRESS"):
        watching.health(settings)
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    assert watching.health(settings), "the owner hears what is broken"


def test_a_database_of_another_make_is_refused_before_a_store_is_asked_for(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database_url="mysql://u@h/glimmr")
    with pytest.raises(UsageError, match="GLIMMR_DATABASE_URL is not a fleet's: it looks like postgresql://"):
        fleet.is_fleet(settings)

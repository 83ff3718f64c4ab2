"""What nobody needs any more goes: scratch of the dead, half objects, objects that nothing refers to."""

import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from itertools import islice
from pathlib import Path

from glimmr.download import behind, discard, unwanted
from glimmr.jobs import ledger
from glimmr.jobs.invariant import Count, Find, Invariant, Repair, Violation
from glimmr.pipeline.invariants.price_table import is_under_way, spared
from glimmr.pipeline.parts import Parts
from glimmr.stores import catalog, underway
from glimmr.stores.blobs import is_half
from glimmr.stores.folder_lock import holder
from glimmr.stores.scratch import check_scratch, scratch_of

_HOUR = 3600.0
_OTHERS_MAY_PUBLISH_SECONDS = 24 * _HOUR
_ASKED_AT_ONCE = 500
_BYTES = re.compile(r"sha256/../../([0-9a-f]{64})")
_REJECTS = re.compile(r"rejects/([0-9a-f]{64})-(.+)\.parquet")
_LOCK_FILE = "glimmr.lock"


def of(parts: Parts) -> list[Invariant]:
    """The invariants of what lies about."""
    return [
        Invariant(
            name="scratch_takes_bytes",
            text="scratch is there, can be written, and has GLIMMR_MIN_FREE_BYTES free",
            cure="mount it, free some space, or name another with GLIMMR_SCRATCH; until then no download begins",
            find=lambda _after, _most: _check(parts),
            repair=lambda _violation, _count: False,
        ),
        Invariant(
            name="scratch_has_owner",
            text="what lies in scratch for more than an hour belongs to a process or a run that lives",
            cure="it is deleted",
            find=_sorted(lambda: _scratch(parts), "lies in scratch, and whoever put it there is dead"),
            repair=_delete(
                parts, lambda name: _is_dead(parts, _root(parts).parent / name), lambda n: _remove(parts, n)
            ),
            lists_a_shelf=True,
        ),
        Invariant(
            name="no_half_prices",
            text="the price table's shelf has nothing older than a day that no log names and nobody wants",
            cure="it is deleted",
            find=_sorted(lambda: _unnamed(parts), "is named by no log, and nobody wants it"),
            repair=_delete(parts, lambda name: _is_unnamed(parts, name), parts.lake.discard_leftover),
            lists_a_shelf=True,
        ),
        Invariant(
            name="bytes_have_snapshot",
            text="bytes older than GLIMMR_KEEP_UNREFERENCED_SECONDS belong to a snapshot, and half an object of a"
            " killed writer is not older than an hour",
            cure="they are deleted",
            find=_sorted(lambda: _unreferenced(parts), "belongs to no snapshot"),
            repair=_delete(parts, lambda key: _is_unreferenced(parts, key), parts.blobs.delete),
            lists_a_shelf=True,
        ),
    ]


def _sorted(names: Callable[[], Iterable[str]], text: str) -> Find:
    """Find among names that come in any order."""
    return lambda after, most: [
        Violation(name, f"{name} {text}") for name in nsmallest(most, (name for name in names() if name > after))
    ]


def _delete(parts: Parts, still: Callable[[str], bool], delete: Callable[[str], object]) -> Repair:
    """Delete what still is to be deleted. The shelf comes first: a deletion that is repeated is harmless."""

    def repair(violation: Violation, count: Count) -> bool:
        if not still(violation.subject):
            return False
        delete(violation.subject)
        parts.database.write(count)
        return True

    return repair


# -- scratch -----------------------------------------------------------------------------------------------------


def _check(parts: Parts) -> list[Violation]:
    check_scratch(parts.settings)
    return []


def _root(parts: Parts) -> Path:
    """Scratch of all processes of this host."""
    return scratch_of(parts.settings)


def _scratch(parts: Parts) -> Iterator[str]:
    """What is left over in scratch, as a path that begins with its name: other processes' folders, and in our own."""
    folder = _root(parts)
    found = [*_inside(folder), *(_inside(parts.scratch) if parts.scratch != folder else ())]
    dead = [path for path in found if _is_dead(parts, path)]
    dead += [path for path in unwanted(parts.partials, beginnings(parts)) if _age_seconds(path) > _HOUR]
    yield from (path.relative_to(folder.parent).as_posix() for path in dead)


def beginnings(parts: Parts) -> list[str]:
    """The names of the files in `partials` that a later try goes on from."""
    urls = parts.database.read(catalog.unfinished_urls)
    return [*urls, *map(behind, urls)]


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_dead(parts: Parts, path: Path) -> bool:
    if path in (parts.scratch, parts.partials) or path.name == _LOCK_FILE or _age_seconds(path) < _HOUR:
        return False
    if path.parent == parts.partials:
        return path in unwanted(parts.partials, beginnings(parts))
    if path.parent != parts.scratch:  # a folder of another process, which holds its lock while it lives
        return not path.is_dir() or holder(path) is None
    running = parts.database.read(ledger.running)
    return path.name not in {f"{job.step}-{job.id}-{job.epoch}" for job in running}


def _age_seconds(path: Path) -> float:
    """How long ago anything in it was written; 0 when it is just going."""
    try:
        newest = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return 0.0
    return time.time() - newest


def _remove(parts: Parts, name: str) -> None:
    path = _root(parts).parent / name
    if path.parent == parts.partials:
        discard(path, _HOUR)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# -- objects -----------------------------------------------------------------------------------------------------


def _is_older(parts: Parts, key: str, seconds: float) -> bool:
    age_seconds = parts.blobs.age_seconds(key)
    return age_seconds is not None and age_seconds > seconds


def _unnamed(parts: Parts) -> list[str]:
    return list(parts.lake.leftovers(_OTHERS_MAY_PUBLISH_SECONDS, keep=spared(parts)))


def _is_unnamed(parts: Parts, name: str) -> bool:
    """Looked at again, one by one: nobody has begun to want it."""
    file_id = name.rpartition("/")[2].partition("-")[0]
    return not parts.lake.names(name) and not parts.database.read(lambda connection: is_under_way(connection, file_id))


def _unreferenced(parts: Parts) -> Iterator[str]:
    """One listing of the shelf, which may be long, for all that may lie there."""
    old = (found.key for found in parts.blobs.stored() if found.age_seconds > _most_seconds(parts, found.key))
    while keys := list(islice(old, _ASKED_AT_ONCE)):
        yield from _of_no_snapshot(parts, keys)


def _is_unreferenced(parts: Parts, key: str) -> bool:
    return _is_older(parts, key, _most_seconds(parts, key)) and bool(_of_no_snapshot(parts, [key]))


def _most_seconds(parts: Parts, key: str) -> float:
    return _HOUR if is_half(key) else parts.settings.keep_unreferenced_seconds


def _of_no_snapshot(parts: Parts, keys: list[str]) -> list[str]:
    """Halves, and those whose snapshot has no row; rejects count only for the parser that read it last."""
    named = [(key, found) for key in keys if (found := _BYTES.fullmatch(key) or _REJECTS.fullmatch(key))]
    ids = {found[1] for _, found in named}
    known = parts.database.read(lambda connection: underway.known_snapshots(connection, ids))
    lost = [key for key, found in named if found[1] not in known or _is_outdated(found, known)]
    return [*filter(is_half, keys), *lost]


def _is_outdated(found: re.Match[str], known: dict[str, str | None]) -> bool:
    return found.re is _REJECTS and known[found[1]] != found[2]

"""A world some time later: a few files have moved to another address, and a few hospitals publish one more."""

from dataclasses import dataclass, replace

from glimmr.world.build import File, World, by_ccn
from glimmr.world.content import Content

_EVERY = 50  # one file of so many changes: 2 %


@dataclass(frozen=True, slots=True)
class Change:
    """The later world; what moved from where to where, and the addresses that are new beside those."""

    world: World
    moved: dict[str, str]
    added: frozenset[str]


def changed(world: World, every: int = _EVERY) -> Change:
    """Of `every` so many files that a hospital publishes well and alone, one changes: it moves, or gets company."""
    good = [file for file in world.files if _is_plain(world, file)]
    moved: dict[str, str] = {}
    added: set[str] = set()
    files = list(world.files)
    for turn, file in enumerate(good[:: max(1, every * len(good) // len(world.files))]):
        later = replace(file, url=f"{file.url}?edition=2", content=_later(file.content))
        if turn % 2:
            added.add(later.url)
            files.append(later)
        else:
            moved[file.url] = later.url
            files[files.index(file)] = later
    return Change(replace(world, files=tuple(files), of_ccn=by_ccn(files)), moved, frozenset(added))


def _is_plain(world: World, file: File) -> bool:
    alone = len(file.hospitals) == 1 and len(world.of_ccn[file.hospitals[0]]) == 1
    shared = sum(other.content == file.content for other in world.files) > 1
    return alone and not shared and file.script == "ok" and ".hospital.test" in file.url and "?" not in file.url


def _later(content: Content) -> Content:
    """Other prices, of the same hospital."""
    return replace(content, shapes=tuple(replace(shape, key=f"{shape.key}/later") for shape in content.shapes))

"""Which elements of an XML document are its records, told by its first megabyte."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from glimmr.parse.objects.signs import is_item, is_priced
from glimmr.parse.objects.xml_tree import attributes, children, name_of

PARSER: dict[str, Any] = {
    "resolve_entities": False, "load_dtd": False, "no_network": True, "huge_tree": False, "remove_comments": True,
    "remove_pis": True,
}  # fmt: skip
Path = tuple[str, ...]  # the tags from the root down


@dataclass(slots=True)
class _Seen:
    """All elements of one path: how many, and what they say (the names of attributes and leaves)."""

    count: int = 0
    fields: dict[str, str] = field(default_factory=dict[str, str])


def record_tags(head: Iterable[bytes]) -> frozenset[str]:
    """The tags of the elements that are records; empty when nothing looks like one.

    Those are the outermost elements that say what they are the price of (a description or a code); without any, those
    that repeat most often.
    """
    seen = _seen(head)
    paths = sorted(seen, key=len)
    chosen: list[Path] = []
    for path in paths:
        if len(path) == 1 or any(path[: len(outer)] == outer for outer in chosen) or not is_item(seen[path].fields):
            continue
        inside = [seen[p] for p in paths if len(p) > len(path) and p[: len(path)] == path and is_item(seen[p].fields)]
        if not any(_is_group_of(seen[path], one) for one in inside):
            chosen.append(path)
    if not chosen:
        able = [path for path in paths if len(path) > 1 and len(seen[path].fields) > 1]
        chosen = sorted(able, key=lambda path: -seen[path].count)[:1]
    return frozenset(path[-1] for path in chosen)


def _is_group_of(outer: _Seen, inner: _Seen) -> bool:
    """Whether an element is only what several items stand in."""
    if outer.count == 1 and inner.count > 1:
        return True
    return is_priced(inner.fields) and not is_priced(outer.fields)


def _seen(head: Iterable[bytes]) -> dict[Path, _Seen]:
    parser = etree.XMLPullParser(events=("start", "end"), recover=True, **PARSER)
    seen: dict[Path, _Seen] = defaultdict(_Seen)
    path: list[str] = []
    for piece in head:
        try:
            parser.feed(piece)
        except etree.XMLSyntaxError:
            break
        for event, element in parser.read_events():
            if event == "start":
                path.append(element.tag)
                continue
            _look(seen, tuple(path), element)
            path.pop()
            for child in children(element):
                child.clear()
    return seen


def _look(seen: dict[Path, _Seen], path: Path, element: Any) -> None:
    one = seen[path]
    one.count += 1
    one.fields.update(attributes(element))
    if not len(element) and len(path) > 1 and (element.text or "").strip():
        seen[path[:-1]].fields[name_of(path[-1])] = element.text.strip()

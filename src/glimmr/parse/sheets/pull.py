"""XML of any length, one element of interest after another, in constant memory; DTDs are refused."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it ships no types

from glimmr.errors import CutShort, ForbiddenDtd, Unparseable
from glimmr.parse.limits import Limits
from glimmr.parse.unpack import Stream

_STEP_BYTES = 1 << 18

Element = Any  # lxml ships no types


def chunks(stream: Stream) -> Iterator[bytes]:
    """The bytes of a stream in steps. Raises what damaged it, after all that came before."""
    while part := stream.read(_STEP_BYTES):
        yield part
    if stream.damage is not None:
        raise stream.damage


def elements(stream: Stream, names: Sequence[str], limits: Limits) -> Iterator[Element]:
    """`events` of whole elements."""
    return (element for _, element in events(chunks(stream), names, limits))


def events(
    parts: Iterable[bytes], names: Sequence[str], limits: Limits, *, starts: Sequence[str] = (), utf8: bool = False
) -> Iterator[tuple[bool, Element]]:
    """Every element whose local name is in `names`, whatever its namespace: (False, the whole element).

    One whose name is in `starts` is given when it opens, with its attributes only: (True, element). Elements are
    forgotten when the next is asked for. `utf8` tells that the text was recoded, whatever its declaration says.
    Raises ForbiddenDtd for a document type; CutShort where the XML breaks or ends too early, after all that was whole;
    Unparseable when more than limits.max_record_bytes come without any such element.
    """
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=[f"{{*}}{name}" for name in {*names, *starts}],
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8" if utf8 else None,
    )
    fed = quiet = 0
    checked = False
    for part in parts:
        broken = _feed(parser, part)
        fed += len(part)
        quiet += len(part)
        for event, element in parser.read_events():
            quiet = 0
            if not checked and element.getroottree().docinfo.doctype:
                raise ForbiddenDtd("XML with a document type is not read", reason="dtd")
            checked = True
            yield from _marked(event, element, names, starts)
        if broken:
            raise CutShort(f"the XML breaks within bytes {fed - len(part)} to {fed}: {broken}", reason="truncated")
        if quiet > limits.max_record_bytes:
            raise Unparseable(
                f"an XML element is larger than {limits.max_record_bytes} bytes", reason="broken_structure"
            )
    try:
        parser.close()
    except etree.XMLSyntaxError as error:
        raise CutShort(f"the XML ends too early, at byte {fed}: {error}", reason="truncated") from error


def _feed(parser: Any, part: bytes) -> str | None:
    """What broke the XML, if it broke: the elements before that are still to be read."""
    try:
        parser.feed(part)
    except etree.XMLSyntaxError as error:
        return str(error)
    return None


def _marked(
    event: str, element: Element, names: Sequence[str], starts: Sequence[str]
) -> Iterator[tuple[bool, Element]]:
    name = local(element)
    if event == "start":
        if name in starts:
            yield True, element
        return
    if name in names:
        yield False, element
    parent = element.getparent()
    element.clear()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str | None:
    """The attribute of this local name, whatever its namespace."""
    plain = element.get(name)
    if plain is not None:
        return plain
    ending = "}" + name
    return next((value for key, value in element.attrib.items() if key.endswith(ending)), None)


def attributes(element: Element) -> dict[str, str]:
    """All attributes by their local names; of two with one name the first."""
    return {key.rpartition("}")[2]: value for key, value in reversed(element.items())}


def whole_number(text: str | None) -> int | None:
    """A count or index that is written as text; None for anything else."""
    return int(text) if text is not None and len(text) < 10 and text.isascii() and text.isdigit() else None

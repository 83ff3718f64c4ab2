"""Whether the leads of a page are price files, and whose: as their first bytes, which are asked for, say."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from urllib.parse import unquote, urlsplit

from glimmr.errors import ChildError, FetchError, HostRests
from glimmr.model import FileReport, Lead, Pointer, Skipped, Tried
from glimmr.net import normalise, redact
from glimmr.outcomes import Outcome
from glimmr.scan.identity import is_name
from glimmr.scan.match import MOST_LOCATIONS, claims_of
from glimmr.scan.source import Web
from glimmr.scan.visits import answered, failed

BEGINNING_BYTES = 128 * 1024  # a header stands in the first few
_MOST_ASKED = 25  # of one site
BEYOND = f"a link beyond the {_MOST_ASKED} likeliest of its site"
_OTHER_LIST = 1  # the rank of a link that says so
_POSSESSIVE = re.compile(r"(?<=\w{3})[-_+\s]+s(?=[-_+\s]|$)", re.IGNORECASE)  # `st-mary-s`; an S alone is South
_PRESCRIBED = re.compile(r"\d{2}-?\d{7}(?:-\d{10})?_(.+)_standardcharges\.", re.IGNORECASE)  # 45 CFR 180.50(d)(5)

Looks = Callable[[bytes], FileReport]
"""Reads the beginning of a file as far as it goes. Raises a ChildError where it breaks the reader."""


def proven(
    leads: Sequence[Lead], web: Web, look: Looks, at_home: Collection[str]
) -> Iterator[Pointer | Tried | Skipped]:
    """What became of each lead, the likeliest first; a price file points at every location that its header names.

    One that shows no header is taken for that of the hospital in its prescribed name, else of the site's only one,
    until it is read whole. `at_home`: the names of the hospitals whose site it is.
    """
    asked = 0
    for lead in leads:
        if lead.rank <= _OTHER_LIST:
            yield Skipped(record=redact(lead.url), reason="a link that says it leads to another list")
        elif asked == _MOST_ASKED:
            yield Skipped(record=redact(lead.url), reason=BEYOND)
        else:
            asked += 1
            yield from _asked(lead, web, look, at_home)


def _asked(lead: Lead, web: Web, look: Looks, at_home: Collection[str]) -> Iterator[Pointer | Tried | Skipped]:
    shown = redact(lead.url)
    try:
        reply = web.beginning(lead.url, most_bytes=BEGINNING_BYTES)
    except (FetchError, HostRests) as error:
        told = failed(lead.url, error)
        yield told
        yield Skipped(record=shown, reason=f"a link that gives nothing: {told.answer}")
        return
    try:
        report = look(reply.body)
    except ChildError as error:
        yield answered(lead.url, reply, "unread")
        yield Skipped(record=shown, reason=f"a link to what cannot be looked at: {type(error).__name__}")
        return
    pointers = list(islice(_of_header(lead, report), MOST_LOCATIONS))
    is_price_file = report.outcome in (Outcome.OK, Outcome.INCOMPLETE)
    if not pointers and is_price_file:
        pointers = _by_name(lead, at_home)
    if pointers:
        yield answered(lead.url, reply, "price_file")
        yield from pointers
    elif reply.is_cut:
        yield answered(lead.url, reply, "unread")
        yield Skipped(record=shown, reason="a link to what breaks off before it says what it is")
    elif is_price_file:
        yield answered(lead.url, reply, "nameless")
        yield Skipped(record=shown, reason="a price file that does not say whose it is")
    else:
        yield answered(lead.url, reply, report.reason)
        yield Skipped(record=shown, reason=f"a link to no price file: {report.reason}")


def _of_header(lead: Lead, report: FileReport) -> Iterator[Pointer]:
    claims = (claim for member in report.members for claim in claims_of(member.header))
    for claim in dict.fromkeys(claims):
        if is_name(claim.names[0]):
            yield _pointer(lead, claim.names[0], state=claim.state, address=claim.address)


def _by_name(lead: Lead, at_home: Collection[str]) -> list[Pointer]:
    """At most one: no header was seen."""
    named = _PRESCRIBED.search(unquote(urlsplit(lead.url).path))
    said = (
        re.sub(r"(?<=\w{3})[-_+\s]+s(?=[-_+\s]|$)", "s", named[1], flags=re.IGNORECASE) if named else ""
    )  # St. Mary's
    name = re.sub(r"[-_+\s]+", " ", said).strip()
    if not is_name(name):
        name = next(iter(at_home)) if len(at_home) == 1 else ""
    return [_pointer(lead, name, guessed=True)] if name else []


def _pointer(
    lead: Lead, name: str, *, state: str | None = None, address: str | None = None, guessed: bool = False
) -> Pointer:
    return Pointer(
        location_name=name,
        url=normalise(lead.url),
        page_url=lead.page_url,
        domain=lead.domain,
        source="page",
        state=state,
        address=address,
        guessed=guessed,
    )

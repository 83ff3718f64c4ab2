"""Ask one source about one place, and hold what it said."""

from collections import Counter
from dataclasses import dataclass

from glimmr import events
from glimmr.model import Found, Listed, Skipped
from glimmr.scan.source import Source, Web


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a source said of one place: price files found, records that cannot be used, hospitals without an address."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]
    listed: tuple[Listed, ...] = ()


def scan(name: str, source: Source, place: str, web: Web) -> Scanned:
    """Everything `source` knows of `place`. Raises a GlimmrError when it cannot say."""
    said = list(source.find(place, web))
    scanned = Scanned(
        tuple(record for record in said if isinstance(record, Found)),
        tuple(record for record in said if isinstance(record, Skipped)),
        tuple(record for record in said if isinstance(record, Listed)),
    )
    reasons = Counter(record.reason for record in scanned.skipped)
    events.tell(events.SCAN_FOUND, source=name, place=place, found=len(scanned.found), skipped=dict(reasons))
    return scanned

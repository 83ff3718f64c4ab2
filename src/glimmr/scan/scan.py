"""Ask one source about one place, and hold what it said."""

from collections import Counter
from dataclasses import dataclass

from glimmr import events
from glimmr.model import Found, Skipped
from glimmr.scan.source import Source, Web


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a source said of one place: the price files found, the records that cannot be used."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]


def scan(name: str, source: Source, place: str, web: Web) -> Scanned:
    """Everything `source` knows of `place`. Raises a GlimmrError when it cannot say."""
    said = list(source.find(place, web))
    scanned = Scanned(
        tuple(record for record in said if isinstance(record, Found)),
        tuple(record for record in said if isinstance(record, Skipped)),
    )
    reasons = Counter(record.reason for record in scanned.skipped)
    events.tell(events.SCAN_FOUND, source=name, place=place, found=len(scanned.found), skipped=dict(reasons))
    return scanned

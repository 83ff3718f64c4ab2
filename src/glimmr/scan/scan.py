"""Ask one source about one place, and hold what it said."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile

from glimmr import events
from glimmr.model import Found, Lead, Listed, Pointer, Skipped, Tried
from glimmr.scan.leads import BEYOND
from glimmr.scan.source import Said, Source, Web
from glimmr.scan.storable import storable

_MOST_REASONS = 20  # that are told one by one
_NOT_SEEN = ("failed", "unread")  # verdicts that leave open what is there


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a source said of one place, sorted by kind; `tried` is what was asked on the way.

    `whole`: what it does not name is not there; else it may only not have been reached.
    """

    found: tuple[Found, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    listed: tuple[Listed, ...] = ()
    pointers: tuple[Pointer, ...] = ()
    tried: tuple[Tried, ...] = ()
    whole: bool = True

    @property
    def reasons(self) -> dict[str, int]:
        """Why records could not be used, and how many, the commonest first."""
        told = Counter(record.reason for record in self.skipped).most_common()
        rest = sum(count for _, count in told[_MOST_REASONS:])
        return dict(told[:_MOST_REASONS]) | ({"other reasons": rest} if rest else {})


def _nothing(leads: Sequence[Lead]) -> Iterable[Said]:
    del leads
    return ()


def scan(
    name: str, source: Source, place: str, web: Web, prove: Callable[[Sequence[Lead]], Iterable[Said]] = _nothing
) -> Scanned:
    """Everything `source` knows of `place`. Raises a GlimmrError when it cannot say.

    What it only takes for likely (its leads) is what `prove` makes of it.
    """
    records = list(source.find(place, web))
    leads = [record for record in records if isinstance(record, Lead)]
    said = [storable(record) for record in (*records, *(prove(leads) if leads else ()))]
    scanned = Scanned(
        found=tuple(record for record in said if isinstance(record, Found)),
        skipped=tuple(record for record in said if isinstance(record, Skipped)),
        listed=tuple(record for record in said if isinstance(record, Listed)),
        pointers=tuple(record for record in said if isinstance(record, Pointer)),
        tried=tuple(record for record in said if isinstance(record, Tried)),
        whole=not leads or all(map(_was_seen, _behind_its_home(said))),
    )
    found = len(scanned.found) + len(scanned.pointers)
    events.tell(events.SCAN_FOUND, source=name, place=place, found=found, skipped=scanned.reasons)
    return scanned


def _behind_its_home(said: Iterable[Said]) -> Iterable[Said]:
    """What was said from the first page on: before it a site is only looked for."""
    return dropwhile(lambda record: not isinstance(record, Tried) or record.verdict != "page", said)


def _was_seen(record: Said) -> bool:
    """Whether it does not leave open what is there."""
    if isinstance(record, Tried):
        return record.verdict not in _NOT_SEEN
    return not isinstance(record, Skipped) or record.reason != BEYOND

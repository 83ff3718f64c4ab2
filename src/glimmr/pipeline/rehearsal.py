"""What a run would ask, said and not done (`glimmr run --dry-run`)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from glimmr.model import Found, Skipped
from glimmr.net import redact
from glimmr.scan import Source, Web


def rehearse(
    sources: Mapping[str, Source], web: Web, asked: Sequence[tuple[str, str]], limit: int | None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Who has which address as the sources say, up to `limit` addresses; and the records skipped on the way, by reason.

    Raises what a source raises that cannot say.
    """
    found: dict[tuple[str, str], Found] = {}
    addresses: set[str] = set()
    skipped: Counter[str] = Counter()
    for record in (record for name, place in asked for record in sources[name].find(place, web)):
        if isinstance(record, Skipped):
            skipped[record.reason] += 1
        elif not isinstance(record, Found):
            continue  # a hospital without an address
        elif record.url not in addresses and len(addresses) == limit:
            break
        else:
            addresses.add(record.url)
            found[record.url, record.hospital.hospital_id] = record
    return [{**asdict(record.hospital), "url": redact(record.url)} for record in found.values()], dict(skipped)

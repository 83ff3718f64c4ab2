"""Put one price list into the price table, all or nothing; and take one out.

Order: rates, charges, file_hospitals, files. A file is published when it is in `files` (PRICE_TABLE.md section 1), so
its row comes last: whoever sees it finds everything else in place, and a publish broken off before is invisible. Taking
out goes the other way round. Each of the four is one atomic commit that does nothing when it was done already, so the
whole may be repeated from the start after any crash.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimmr import events
from glimmr.errors import NotReconciled
from glimmr.stores.lake import Fence, Lake


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did: rows of the price list, hospitals it is of, and which tables had to change."""

    file_id: str
    charges: int
    rates: int
    hospitals: int
    changed: tuple[str, ...]


def publish(
    lake: Lake,
    file: Mapping[str, Any],
    hospitals: Sequence[Mapping[str, Any]],
    *,
    fence: Fence,
    tell: Callable[..., None] = lambda **_: None,
    folder: Path | None = None,
) -> Published:
    """Put a price list into the price table.

    `file` is its row of `files`, `hospitals` its rows of `file_hospitals` (their `file_id` may be left out); dates may
    be ISO 8601 text. `folder` holds charges.parquet and rates.parquet; None when `lake.place` has taken them already.
    `fence` is asked right before every commit and raises LeaseLost; `tell(stage=…)` is told of every step and may stop
    the work by raising. Raises NotReconciled when the row's counts are not the Parquet's, StorageFault, DiskFull.
    """
    file_id, parser_version = file["file_id"], file["parser_version"]
    events.tell(events.PUBLISH_STARTED, file_id=file_id, parser_version=parser_version)
    tell(stage="placing")
    sizes = lake.place(file_id, parser_version, folder) if folder else lake.sizes(file_id, parser_version)
    if (sizes.charges, sizes.rates) != (file["charges"], file["rates"]):
        raise NotReconciled(
            f"{file_id[:12]}: the report says {file['charges']} charges and {file['rates']} rates, "
            f"the price list on the shelf has {sizes.charges} and {sizes.rates}; raise the parser version"
        )
    steps: dict[str, Callable[[], bool]] = {
        "rates": lambda: lake.replace("rates", file_id, parser_version, fence),
        "charges": lambda: lake.replace("charges", file_id, parser_version, fence),
        "file_hospitals": lambda: lake.put_rows("file_hospitals", file_id, hospitals, fence),
        "files": lambda: lake.put_rows("files", file_id, [file], fence),
    }
    changed: list[str] = []
    for table, step in steps.items():
        tell(stage=table)
        if step():
            changed.append(table)
            events.tell(events.PUBLISH_COMMITTED, file_id=file_id, table=table)
    done = Published(file_id, sizes.charges, sizes.rates, len(hospitals), tuple(changed))
    events.tell(events.PUBLISH_ENDED, file_id=file_id, charges=done.charges, rates=done.rates, changed=done.changed)
    return done


def reassign(lake: Lake, file_id: str, hospitals: Sequence[Mapping[str, Any]], *, fence: Fence) -> bool:
    """Say whose a published price list is. False, and nothing changes, when it is not published."""
    if not lake.is_published(file_id):
        return False
    lake.put_rows("file_hospitals", file_id, hospitals, fence)
    return True


def retract(lake: Lake, file_id: str, *, fence: Fence) -> bool:
    """Take a file_id out of the price table, its row in `files` first. False when it was in none of the tables."""
    removed = lake.remove(file_id, fence)
    if removed:
        events.tell(events.PUBLISH_RETRACTED, file_id=file_id)
    return removed

"""What a source says, remembered as a scan does it."""

from collections.abc import Sequence
from datetime import datetime

from glimmr.model import Found
from glimmr.pipeline import scan_step
from glimmr.scan import Scanned
from glimmr.stores.database import Connection


def remember(connection: Connection, found: Sequence[Found], now: datetime) -> list[str]:
    """The ids of the addresses, each once, in order."""
    source = found[0].source if found else "pra"
    return scan_step.remember(connection, source, "VT", Scanned(found=tuple(found)), now).seen.ids

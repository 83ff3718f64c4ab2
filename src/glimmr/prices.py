"""Builds the price table for readers, who need nothing else."""

from glimmr import fleet, shared
from glimmr.errors import UsageError
from glimmr.query import PriceTable
from glimmr.settings import Settings


def price_table(settings: Settings) -> PriceTable:
    """The price table for readers. Raises UsageError when there is none yet, StorageFault when its folder is away."""
    fleet.must_be_mounted(settings)
    folder = settings.data / "lake"
    if not fleet.is_fleet(settings) and not folder.exists():
        if (settings.data / "glimmr.sqlite").exists():
            raise UsageError(
                f"the price table {folder} is gone:"
                " `glimmr doctor --fix` and then `glimmr worker --drain` make it again"
            )
        raise fleet.nothing_yet(settings)
    return PriceTable(shared.lake(settings))

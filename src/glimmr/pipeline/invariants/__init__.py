"""What must be true of files, bytes and prices, and how it is made true again."""

from glimmr.jobs.invariant import Invariant
from glimmr.pipeline.invariants import current, files, leftovers, price_table, schedules
from glimmr.pipeline.parts import Parts

__all__ = ["invariants"]


def invariants(parts: Parts) -> list[Invariant]:
    """Beside those of jobs (`jobs.rescues`); in this order, since the later build on the earlier."""
    return [*files.of(parts), *current.of(parts), *price_table.of(parts), *leftovers.of(parts), *schedules.of(parts)]

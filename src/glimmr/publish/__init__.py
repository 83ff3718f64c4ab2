"""Room 4: put one price list into the price table, all or nothing."""

from glimmr.publish.price_list import Published, publish, reassign, retract

__all__ = ["Published", "publish", "reassign", "retract"]

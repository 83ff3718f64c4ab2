"""Room 1: find every hospital's price file."""

from glimmr.scan.scan import Scanned, scan
from glimmr.scan.source import Source

__all__ = ["Scanned", "Source", "scan"]

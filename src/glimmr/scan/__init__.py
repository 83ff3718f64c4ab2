"""Room 1: find every hospital's price file."""

from glimmr.scan.leads import proven
from glimmr.scan.scan import Scanned, scan
from glimmr.scan.source import Source, Web

__all__ = ["Scanned", "Source", "Web", "proven", "scan"]

"""Room 2: bring the bytes of one address home, once."""

from glimmr.download.bring import NotModified, bring
from glimmr.download.download import download

__all__ = ["NotModified", "bring", "download"]

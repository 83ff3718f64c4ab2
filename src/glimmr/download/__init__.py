"""Room 2: bring the bytes of one address home, once."""

from glimmr.download.bring import NotModified, bring
from glimmr.download.download import behind, bring_file, download
from glimmr.download.partial import discard, sweep, unwanted

__all__ = ["NotModified", "behind", "bring", "bring_file", "discard", "download", "sweep", "unwanted"]

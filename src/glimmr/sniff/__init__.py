"""What bytes are: told by the bytes alone, never by a name, a content type or a version cell."""

from glimmr.sniff.kind import HEAD_BYTES, Kind
from glimmr.sniff.kinds import sniff
from glimmr.sniff.links import confirmed, data_links
from glimmr.sniff.whole import whole

__all__ = ["HEAD_BYTES", "Kind", "confirmed", "data_links", "sniff", "whole"]

"""What bytes are: told by the bytes alone, never by a name, a content type or a version cell."""

from glimmr.sniff.kind import HEAD_BYTES, Kind
from glimmr.sniff.kinds import sniff
from glimmr.sniff.links import PageLink, confirmed, data_links, is_data, page_links
from glimmr.sniff.whole import whole

__all__ = ["HEAD_BYTES", "Kind", "PageLink", "confirmed", "data_links", "is_data", "page_links", "sniff", "whole"]

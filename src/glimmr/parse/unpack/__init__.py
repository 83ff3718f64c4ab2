"""Containers: a file → its members as streams, each read while it is unpacked, within limits."""

from glimmr.parse.unpack.budget import Budget
from glimmr.parse.unpack.container import Container, Member
from glimmr.parse.unpack.stream import Stream

__all__ = ["Budget", "Container", "Member", "Stream"]

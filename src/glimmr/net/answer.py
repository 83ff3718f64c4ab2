"""What an address answered, as the rooms see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an address answered. `bytes` went into the sink; `headers` have names in lower case."""

    status: int
    final_url: str
    headers: Mapping[str, str]
    bytes: int
    not_modified: bool = False
    weaknesses: tuple[str, ...] = ()  # codes of model.WEAK_TRANSPORT: how it, or a redirect to it, came
    is_cut: bool = False  # of a beginning: it broke off

    @property
    def etag(self) -> str | None:
        """The validator of exactly these bytes (RFC 9110 §8.8.3)."""
        return self.headers.get("etag")

    @property
    def last_modified(self) -> str | None:
        """When the server says they last changed, as it wrote it."""
        return self.headers.get("last-modified")

    @property
    def content_type(self) -> str | None:
        """What the server says they are."""
        return self.headers.get("content-type")

    @property
    def disposition_name(self) -> str | None:
        """The file name the server suggests (RFC 6266): text only, never a path."""
        return _disposition_name(self.headers.get("content-disposition", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A small answer in memory; whole, unless it `is_cut`, which only a beginning may be."""

    status: int
    final_url: str
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


def _disposition_name(header: str) -> str | None:
    if not header:
        return None
    message = Message()
    message["content-disposition"] = header.replace("\r", " ").replace("\n", " ")
    name = message.get_filename()
    if not name:
        return None
    return "".join(letter for letter in unquote(name) if letter.isprintable())[:1000] or None

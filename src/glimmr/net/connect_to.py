"""Where to connect instead of where the name leads: virtual hosts behind one address, as curl's --connect-to does."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from glimmr.errors import UsageError
from glimmr.net.urls import host_of, is_named, port_of


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """Rules in the order given; the first that fits a host counts. A host is a name, `*.suffix` or `*`."""

    rules: tuple[tuple[str, str], ...] = ()  # (host pattern, ip:port)

    @classmethod
    def of(cls, settings: Iterable[str]) -> "ConnectTo":
        """From `host=ip:port` entries. Raises UsageError for anything else."""
        return cls(tuple(_rule(text) for text in settings))

    def entries(self, url: str) -> list[str]:
        """What libcurl's CONNECT_TO wants for this URL: at most one `host:port:ip:port`."""
        host = host_of(url)
        for pattern, target in self.rules:
            if pattern == "*" or is_named(host, pattern):
                return [f"{f'[{host}]' if ':' in host else host}:{port_of(url)}:{target}"]
        return []


def _rule(text: str) -> tuple[str, str]:
    pattern, equals, target = text.strip().partition("=")
    address, colon, port = target.rpartition(":")
    try:
        ipaddress.ip_address(address.strip("[]"))
        usable = bool(pattern and equals and colon) and 0 < int(port) < 65536
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"GLIMMR_CONNECT_TO: {text!r} is not host=ip:port (host may be `*.name` or `*`)")
    return pattern.strip().lower(), target

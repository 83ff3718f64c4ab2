"""Which addresses may be connected to (server-side request forgery): only public ones, judged after name resolution."""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pycurl import SOCKET_BAD

from glimmr.errors import ForbiddenAddress, UsageError
from glimmr.net.urls import Address, host_of, literal, port_of, redact

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PORTS = frozenset((80, 443))
# `is_global` of Python 3.11 calls all of these global; each reaches, or may reach, an address that is not.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052): an IPv4 address in disguise
        "64:ff9b:1::/48",  # local-use NAT64 (RFC 8215)
        "2002::/16",  # 6to4 (RFC 3056)
        "2001::/32",  # Teredo (RFC 4380)
        "::/96",  # IPv4-compatible (RFC 4291 §2.5.5.1)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "fec0::/10",  # site-local (RFC 3879)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "3fff::/20",  # documentation (RFC 9637)
        "168.63.129.16/32",  # in Azure not the internet, but the host: settings and secrets of the machine
    )
)


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule. `allowed` are networks the operator lets through, on any port."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, allow_addresses: Iterable[str]) -> "Guard":
        """From the setting: addresses or networks. Raises UsageError for what is neither."""
        networks: list[Network] = []
        for text in allow_addresses:
            try:
                networks.append(ipaddress.ip_network(text.strip().strip("[]"), strict=False))
            except ValueError:
                raise UsageError(f"GLIMMR_ALLOW_ADDRESSES: {text!r} is neither an address nor a network") from None
        return cls(tuple(networks))

    def lets(self, address: str, port: int) -> bool:
        """Whether a socket may be opened to this numeric address and port."""
        try:
            found = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return self._allows(found) or (_is_public(found) and port in _PORTS)

    def door(self, refused: list[str]) -> Callable[[int, Any], socket.socket | int]:
        """The OPENSOCKETFUNCTION: it sees every address after name resolution, so a rebinding resolver gains nothing.

        What is not let through is noted in `refused`.
        """

        def opened(_purpose: int, where: Any) -> socket.socket | int:
            address, port = where.addr[0], where.addr[1]
            if self.lets(address, port):
                return _Opened(where.family, where.socktype, where.protocol)
            refused.append(f"{address} port {port}")
            return SOCKET_BAD

        return opened

    def check_url(self, url: str, *, by_proxy: bool = False) -> None:
        """Refuse a normalised URL whose host is itself a forbidden address, before anything else looks at it.

        Behind a proxy no socket shows the address, so there the port is judged here too. Raises ForbiddenAddress.
        """
        address, port = literal(host_of(url)), port_of(url)
        if address is not None and not self.lets(str(address), port):
            raise self.refusal(url, f"{address} port {port}")
        if by_proxy and address is None and port not in _PORTS:
            raise self.refusal(url, f"port {port}")

    @staticmethod
    def refusal(url: str, what: str) -> ForbiddenAddress:
        """The error that says so."""
        shown = redact(url)
        return ForbiddenAddress(
            f"{shown}: {what} is not a public web address; if it is to be asked all the same, name it in"
            " GLIMMR_ALLOW_ADDRESSES",
            url=shown,
        )

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self.allowed if network.version == address.version)


class _Opened(socket.socket):
    """libcurl keeps a duplicate of the socket it is given, so this one is closed as soon as nobody holds it."""

    def __del__(self) -> None:
        self.close()


def _unwrapped(address: Address) -> Address:
    """An IPv4 address mapped into IPv6 is the IPv4 address: that is where the connection goes."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address in network for network in _NOT_GLOBAL if network.version == address.version)

"""How the web is asked: who we say we are, how long we wait, what may be connected to."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import glimmr
from glimmr.errors import UsageError
from glimmr.net.connect_to import ConnectTo
from glimmr.net.guard import Guard
from glimmr.net.urls import host_of, is_named, literal
from glimmr.net.ways import Ways
from glimmr.settings import Settings

# Where systems keep their trusted certificates: Debian, Red Hat, Alpine and the BSDs.
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a transfer is ended: seconds to connect, to the whole header, without a byte; bytes/s; bytes in all."""

    connect_seconds: float
    header_seconds: float
    stall_seconds: float
    min_rate_bytes: int
    deadline_seconds: float
    deadline_rate_bytes: int
    deadline_cap_seconds: float
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to ask: identity, limits, what may be connected to. Usually `Options.of(settings)`."""

    limits: Limits
    guard: Guard
    connect_to: ConnectTo
    connections_per_host: int = 2
    bandwidth_bytes: int = 0  # a second, for all transfers together; 0: no limit
    ca_bundle: str = ""
    insecure_hosts: tuple[str, ...] = ()
    user_agent: str = field(default_factory=lambda: _user_agent(""))
    ways: Ways = field(default_factory=Ways)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """From the settings. Raises UsageError naming the setting that cannot be used."""
        return cls(
            limits=Limits(
                connect_seconds=settings.connect_timeout_seconds,
                header_seconds=settings.header_timeout_seconds,
                stall_seconds=settings.stall_seconds,
                min_rate_bytes=settings.min_rate_bytes,
                deadline_seconds=settings.download_deadline_seconds,
                deadline_rate_bytes=settings.download_deadline_rate_bytes,
                deadline_cap_seconds=settings.download_deadline_cap_seconds,
                max_bytes=settings.max_file_bytes,
            ),
            guard=Guard.of(settings.allow_addresses),
            connect_to=ConnectTo.of(settings.connect_to),
            connections_per_host=settings.connections_per_host,
            bandwidth_bytes=settings.bandwidth_bytes,
            ca_bundle=_ca_bundle(settings.ca_bundle),
            insecure_hosts=tuple(_host_pattern(text) for text in settings.insecure_hosts),
            user_agent=_user_agent(settings.contact),
            ways=Ways(browser_agent=settings.browser_agent),
        )

    def checks(self, url: str) -> bool:
        """Whether the certificate of the server of `url` must be right."""
        return not any(is_named(host_of(url), pattern) for pattern in self.insecure_hosts)


def _host_pattern(text: str) -> str:
    if not re.fullmatch(r"(\*\.)?[\w-]+(\.[\w-]+)*", text) and literal(text) is None:
        raise UsageError(f"GLIMMR_INSECURE_HOSTS: {text!r} is not the name of a host (`name` or `*.name`)")
    return text.lower()


def _ca_bundle(setting: str) -> str:
    """The file of trusted certificates: the setting, SSL_CERT_FILE, or the system's; "" is libcurl's own."""
    if setting:
        if not Path(setting).is_file():
            raise UsageError(f"GLIMMR_CA_BUNDLE: there is no file {setting}")
        return setting
    candidates = (os.environ.get("SSL_CERT_FILE", ""), *_CA_FILES)
    return next((path for path in candidates if path and Path(path).is_file()), "")


def _user_agent(contact: str) -> str:
    """Who asks, and whom to write to; control characters would end the header early."""
    printable = "".join(letter for letter in contact if letter.isprintable())
    return f"Mozilla/5.0 (compatible; Glimmr/{glimmr.__version__}{f'; +{printable}' if printable else ''})"

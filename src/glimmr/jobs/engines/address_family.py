"""In which address family Redis's name is looked up: docket takes a URL only, and TLS must go on seeing the name."""

import asyncio
import contextlib
import socket
from typing import Any, Literal
from urllib.parse import urlsplit

Family = Literal["any", "ipv4", "ipv6"]
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def look_up_only(family: Family, url: str) -> None:
    """Let the running loop look up the hosts of `url` (several with sentinels) in that family.

    A master that a sentinel names by a host's name is looked up in both.
    """
    if family == "any":
        return
    hosts = {urlsplit(f"//{host}").hostname for host in urlsplit(url).netloc.rpartition("@")[2].split(",")}
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def look_up_host(name: Any, port: Any, **options: Any) -> Any:
        if name in hosts:
            options["family"] = _FAMILIES[family]
        return await look_up(name, port, **options)

    with contextlib.suppress(AttributeError):  # a loop that does not let itself be taught looks up both
        loop.getaddrinfo = look_up_host  # type: ignore[method-assign]

"""Names of hosts to addresses, for who must know these before a connection is made; a stop is heeded meanwhile."""

import socket
import threading
import time
from collections.abc import Callable

import pycurl

from glimmr.net.translate import Broken, broken
from glimmr.net.urls import host_of, port_of

_LOOK_SECONDS = 0.1


def addresses_of(url: str, look: Callable[[], None], seconds: float) -> list[str]:
    """The numeric addresses of the host of `url`, as the system's resolver orders them.

    What `look` raises ends the wait; nobody waits for the resolver then. Raises NameNotFound, NameLookupFailed,
    ConnectTimeout.
    """
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []

    def resolve() -> None:
        try:
            entries = socket.getaddrinfo(host_of(url), port_of(url), type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(where[0]) for *_, where in entries))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    until = time.monotonic() + seconds
    while thread.is_alive():
        look()
        if time.monotonic() > until:
            text = f"no answer of the resolver in {seconds:g} s"
            raise broken(Broken(code=pycurl.E_OPERATION_TIMEDOUT, text=text, url=url))
        thread.join(_LOOK_SECONDS)
    if failed:
        raise broken(Broken(code=pycurl.E_COULDNT_RESOLVE_HOST, text=str(failed[0]), url=url)) from failed[0]
    return found

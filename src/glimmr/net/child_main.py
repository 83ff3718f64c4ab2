"""The child's side of `net.child`: reads one request, sets its curl handle as told, passes on what comes.

It is run by its path: it imports nothing of Glimmr, and of the two libcurls only the one that is asked with. It ends by
itself when its standard input ends: its parent died. A message is one letter, 4 bytes of length (big-endian) and that
many bytes: `c` the request goes out, `h` a line of the header, `b` bytes of the body, `e` how it ended.
"""

import ast
import ctypes
import importlib
import os
import re
import signal
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Send = Callable[[bytes, bytes], None]
Options = Iterable[tuple[int, Any]]

_VERBOSE = 41
_HEADER_OUT = 2
_SSL_VERIFYRESULT, _COOKIELIST = 0x20000D, 0x40001C
_COPY = 1
_SAID = re.compile(r"^Failed to .*?, curl: \(\d+\) | See https://curl\.se/\S+ first for more details\.$", re.DOTALL)


def main() -> None:
    """Read the request from standard input, ask, say how it ended."""
    # A signal sent to the whole group is the parent's to answer; this process ends with its parent, or is killed.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wire = os.dup(1)
    os.dup2(2, 1)

    def send(kind: bytes, data: bytes) -> None:
        rest = memoryview(kind + len(data).to_bytes(4, "big") + data)
        while rest:
            rest = rest[os.write(wire, rest) :]

    request: dict[str, Any] = ast.literal_eval(_read_exactly(int.from_bytes(_read_exactly(4), "big")).decode())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    browser = request["browser"]
    if browser:
        end = _ask_as_browser(browser, request["options"], send)
    else:
        end = _ask_in_old_tls(request["openssl"], request["options"], send)
    send(b"e", repr(end).encode())
    os._exit(0)


def _ask_in_old_tls(openssl: str, options: Options, send: Send) -> Mapping[str, Any]:
    pycurl = importlib.import_module("pycurl")
    # This libcurl reads no configuration of OpenSSL's. Where its OpenSSL cannot be told so, it refuses as ever.
    library = ctypes.CDLL(importlib.import_module("pycurl._pycurl").__file__)
    if hasattr(library, "CONF_modules_load_file"):
        library.CONF_modules_load_file(os.fsencode(openssl), None, 0)

    def connected(*_: object) -> int:
        send(b"c", b"")
        return pycurl.PREREQFUNC_OK

    curl = pycurl.Curl()
    for option, value in options:
        curl.setopt(option, value)
    curl.setopt(pycurl.PREREQFUNCTION, connected)
    curl.setopt(pycurl.HEADERFUNCTION, lambda line: send(b"h", line))
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: send(b"b", data))
    code, text = 0, ""
    try:
        curl.perform()
    except pycurl.error as error:
        code, text = error.args
    return {
        "code": code,
        "text": text,
        "verify_result": curl.getinfo(pycurl.SSL_VERIFYRESULT),
        "cookies": curl.getinfo(pycurl.INFO_COOKIELIST),
        "certificates": curl.getinfo(pycurl.INFO_CERTINFO),
    }


def _ask_as_browser(browser: str, options: Options, send: Send) -> Mapping[str, Any]:
    cffi = importlib.import_module("curl_cffi")
    targets = importlib.import_module("curl_cffi.requests.impersonate").REAL_TARGET_MAP
    curl = cffi.Curl()
    if curl.impersonate(targets[browser]) != 0:
        raise RuntimeError(f"curl_cffi cannot play {targets[browser]}")
    kept = [_set(cffi, curl, option, value) for option, value in options]

    def heard(kind: int, _: bytes) -> None:
        if kind == _HEADER_OUT:
            curl.setopt(_VERBOSE, 0)
            send(b"c", b"")

    def passed_on(kind: bytes) -> Callable[[bytes], int]:
        def take(data: bytes) -> int:
            send(kind, data)
            return len(data)

        return take

    option = cffi.CurlOpt
    curl.setopt(_VERBOSE, 1)
    curl.setopt(option.DEBUGFUNCTION, heard)  # it has nothing else that tells when the request goes out
    curl.setopt(option.HEADERFUNCTION, passed_on(b"h"))
    curl.setopt(option.WRITEFUNCTION, passed_on(b"b"))
    code, text = 0, ""
    try:
        curl.perform()
    except cffi.CurlError as error:
        code, text = int(error.code), _SAID.sub("", str(error))
    del kept
    cookies = [cookie.decode("utf-8", "surrogateescape") for cookie in curl.getinfo(_COOKIELIST)]
    verify_result = curl.getinfo(_SSL_VERIFYRESULT) or 0
    return {"code": code, "text": text, "verify_result": verify_result, "cookies": cookies, "certificates": []}


def _set(cffi: Any, curl: Any, option: int, value: Any) -> object:
    """Set an option, also of the two kinds that curl_cffi cannot; what is given must be kept while it asks."""
    if isinstance(value, list):
        texts = cffi.ffi.NULL
        for text in value:
            texts = cffi.lib.curl_slist_append(texts, text.encode())
        given: Any = texts
    elif option // 10_000 == 4:  # struct curl_blob
        data = cffi.ffi.new("char[]", value)
        blob = struct.pack("@PNI", int(cffi.ffi.cast("uintptr_t", data)), len(value), _COPY)
        given = cffi.ffi.new("char[]", blob)
    else:
        return curl.setopt(option, value)
    code = cffi.lib._curl_easy_setopt(curl._curl, option, given)  # noqa: SLF001 - it has no other way for these
    if code:
        raise RuntimeError(f"curl_cffi cannot set option {option}: {code}")
    return given


def _end_with_parent() -> None:
    while os.read(0, 65_536):
        pass
    os._exit(1)


def _read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            os._exit(1)
        data += more
    return data


if __name__ == "__main__":
    main()

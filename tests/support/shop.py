"""A server whose files can be exchanged, and price files of any length for it."""

import http.server
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

HEADER = (
    "description,code|1,code|1|type,setting,standard_charge|gross,payer_name,plan_name,"
    "standard_charge|negotiated_dollar,standard_charge|methodology"
)


def table(rows: int, price: int = 100) -> bytes:
    lines = (f"Item {n},9{n:04},CDM,outpatient,{price + n},Payer,Plan,{n + 1}.50,fee schedule" for n in range(rows))
    return "\n".join((HEADER, *lines, "")).encode()


class Shop:
    """A server with files that can be exchanged, and the paths it was asked for (its robots.txt apart)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        shop = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/robots.txt":
                    shop.asked.append(self.path)
                body = shop.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("content-length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def open_shop() -> Generator[Shop]:
    """A shop that answers until the block ends."""
    built = Shop()
    thread = threading.Thread(target=built.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield built
    built.server.shutdown()
    built.server.server_close()
    thread.join()

"""moto's S3 as a program: `s3_server.py PORT`. One request at a time, because moto looks and then writes.

On a real S3 `If-None-Match: *` is atomic; moto's own server answers in threads, and two commits at once could both win.
"""

import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

_one_at_a_time = threading.Lock()
_application = DomainDispatcherApplication(create_backend_app)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def log_request(self, *_: object) -> None:
        pass


def _answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    with _one_at_a_time:
        return list(_application(environ, start))


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), _answer, threaded=True, request_handler=_Quiet)

"""Download over loopback, side by side in one run: `curl -o F URL && sha256sum F && sync F` against room 2.

    PYTHONPATH=src .venv/bin/python bench/download.py [--mb 2048] [--rounds 3]

Once over http and once over TLS. Prints seconds of every round, the ratio of the medians, and our peak RSS for the
whole size and for a tenth of it.
"""

import argparse
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

OURS = """
import json, resource, sys, time
from pathlib import Path
from glimmr.download import download
from glimmr.net import Client
from glimmr.settings import Settings
from glimmr.stores.blobs import Blobs
url, folder = sys.argv[1], Path(sys.argv[2])
client = Client(Settings(allow_addresses=("127.0.0.1", "::1"), ca_bundle=sys.argv[3]))
began = time.perf_counter()
got = download(url, client=client, blobs=Blobs(folder / "blobs"), scratch=folder / "scratch")
seconds = time.perf_counter() - began
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "rss_bytes": rss, "file_id": got.file_id}))
"""


def certificate(folder: Path) -> Path:
    """Key and certificate for `localhost`, its own authority, in one file."""
    both, key = folder / "certificate.pem", folder / "key.pem"
    what = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    named = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(both)]
    subprocess.run(["openssl", "req", *what.split(), *named], check=True, capture_output=True)
    both.write_bytes(both.read_bytes() + key.read_bytes())
    return both


def serve(path: Path, tls: ssl.SSLContext | None) -> int:
    """Serve the file to whoever connects; `/<bytes>` sends that many. Gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(plain: socket.socket) -> None:
        with tls.wrap_socket(plain, server_side=True) if tls else plain as connection, path.open("rb") as file:
            asked = connection.recv(65536).split(b" ", 2)[1]
            size = int(asked.strip(b"/"))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size)
            connection.sendfile(file, count=size)

    def accept() -> None:
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def curl(url: str, folder: Path, trusted: Path) -> tuple[float, str]:
    began = time.perf_counter()
    script = 'curl -sSf --noproxy "*" --cacert "$2" -o "$0/F" "$1" && sha256sum "$0/F" && sync "$0/F"'
    done = subprocess.run(["sh", "-c", script, folder, url, trusted], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout.split()[0]


def ours(url: str, folder: Path, trusted: Path) -> dict[str, float | str]:
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    command = [sys.executable, "-c", OURS, url, folder, trusted]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=clean).stdout)


def compare(name: str, url: str, given: argparse.Namespace, root: Path, trusted: Path) -> None:
    """Download in turn, and print how long each took."""
    size = given.mb * 2**20
    theirs_seconds, our_seconds, rss = list[float](), list[float](), 0
    small = ours(f"{url}{size // 10}", Path(tempfile.mkdtemp(dir=root)), trusted)
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory(dir=root) as one, tempfile.TemporaryDirectory(dir=root) as two:
            mine = ours(f"{url}{size}", Path(one), trusted) if number % 2 else None
            seconds, digest = curl(f"{url}{size}", Path(two), trusted)
            mine = mine or ours(f"{url}{size}", Path(one), trusted)
        assert mine["file_id"] == digest, "the bytes differ"
        theirs_seconds.append(seconds)
        our_seconds.append(float(mine["seconds"]))
        rss = max(rss, int(mine["rss_bytes"]))
        print(f"{name}, round {number + 1}: curl + sha256sum + sync {seconds:.2f} s, glimmr {our_seconds[-1]:.2f} s")
    ratio = statistics.median(our_seconds) / statistics.median(theirs_seconds)
    print(f"{name}, {given.mb} MiB: glimmr takes {ratio:.2f} x the time of curl + sha256sum + sync")
    print(f"peak RSS: {rss / 2**20:.0f} MiB; for a tenth of the size {int(small['rss_bytes']) / 2**20:.0f} MiB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mb", type=int, default=2048)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        root = Path(name)
        block = os.urandom(2**20)
        with (root / "served").open("wb") as file:
            for number in range(given.mb):
                file.write(number.to_bytes(8, "big") + block[8:])
        trusted = certificate(root)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(trusted)
        compare("http", f"http://localhost:{serve(root / 'served', None)}/", given, root, trusted)
        compare("TLS", f"https://localhost:{serve(root / 'served', tls)}/", given, root, trusted)


if __name__ == "__main__":
    main()

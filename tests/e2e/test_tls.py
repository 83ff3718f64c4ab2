"""The line on the world behind TLS of every kind: what becomes of each file, and what is said of how it came."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from glimmr.cli import look
from glimmr.world import File, World, serve_in_thread, world
from tests.support import line
from tests.support.http_server import HttpServer, answer
from tests.support.tls_front import TlsFront

ENDS = {
    "good": ("ok", "", []),
    "no_intermediate": ("ok", "", []),
    "tls10": ("ok", "", ["GL-TLS-LEGACY"]),
    "small_dh": ("ok", "", ["GL-TLS-LEGACY"]),
    "unknown": ("unreachable", "tls_untrusted", []),
    "expired": ("unreachable", "tls_expired", []),
    "other_host": ("ok", "", ["GL-TLS-INSECURE"]),  # it is one of GLIMMR_INSECURE_HOSTS
}


@contextmanager
def _served(built: World, files: dict[str, File], folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The environment of a machine for which each file is behind TLS of its kind, and the address of the world."""
    folder.mkdir()
    variants = {file.host: variant for variant, file in files.items()}
    with serve_in_thread(built) as server, TlsFront(server.port, folder, variants) as front:
        aia = HttpServer({"/i.cer": answer(front.intermediate.der)})
        with aia:
            to = f"aia.test=127.0.0.1:{aia.port},*=127.0.0.1:{front.port}"
            yield (
                line.environment(
                    server,
                    GLIMMR_CONNECT_TO=to,
                    GLIMMR_CA_BUNDLE=str(front.certificate),
                    GLIMMR_INSECURE_HOSTS=files["other_host"].host,
                    GLIMMR_PATIENCE_SECONDS="0",
                ),
                files["tls10"].url.replace("http:", "https:"),
            )


def test_every_kind_of_tls_ends_as_it_must_and_weak_tls_is_told_with_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = world(seed=5, n=len(ENDS), mix="clean")
    by_host = {file.host: file for file in built.files}
    files = dict(zip(ENDS, by_host.values(), strict=False))
    assert len(files) == len(ENDS)
    url = {variant: file.url.replace("http:", "https:") for variant, file in files.items()}
    rows = [(f"{variant} hospital", "VT", f"47000{n}", address) for n, (variant, address) in enumerate(url.items())]
    listed, data = line.write_list(tmp_path / "list.csv", rows), tmp_path / "data"
    with _served(built, files, tmp_path / "tls") as (env, old):
        line.glimmr("run", "--from", listed, "--data", data, env=env)
        parsed = json.loads(line.glimmr("parse", old, "--json", env=env).stdout)
    with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection:
        rows = connection.execute("SELECT url, outcome, reason FROM price_files").fetchall()
        found = connection.execute(
            "SELECT url, code FROM price_files JOIN findings ON file_id = current_file_id WHERE code LIKE 'GL-TLS-%'"
        ).fetchall()
    ended = {address: (outcome, reason or "") for address, outcome, reason in rows}
    told = {variant: [code for where, code in found if where == address] for variant, address in url.items()}
    assert {variant: (*ended[address], told[variant]) for variant, address in url.items()} == ENDS
    look.status(data=data)
    status = capsys.readouterr().out
    assert f"GL-TLS-INSECURE (docs/reference/findings.md): 1 file {url['other_host']}" in status
    assert "GL-TLS-LEGACY (docs/reference/findings.md): 2 files, one of them https://" in status
    assert "GL-TLS-LEGACY" in {finding["code"] for finding in parsed["members"][0]["findings"]}

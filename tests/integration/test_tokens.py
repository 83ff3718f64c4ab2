"""Tokens in addresses: after a whole run nothing shows them, but the one column they are asked by."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from glimmr import app, looking
from glimmr.settings import load
from tests.support import line
from tests.support.http_server import HttpServer, answer, head, raw, redirect
from tests.support.servers import PostgreSql, RedisServer
from tests.support.shop import table

SECRETS = ("TOPSECRET", "PASSWORD", "HIDDEN")
PAGE = b"<html><body><a href='/prices.csv?access_token=HIDDEN1'>prices</a></body></html>"
SCRIPTS = {
    "/good.csv": answer(table(20)),
    "/prices.csv": answer(table(21)),
    "/page": answer(PAGE),
    "/moved": redirect("/good.csv?X-Amz-Signature=HIDDEN2"),
    "/loop": redirect("/loop?sig=HIDDEN3"),
    "/inside": redirect("http://169.254.169.254/latest?token=HIDDEN4"),
    "/cut": raw(head("200 OK", "Content-Length: 999") + b"half"),
    "/busy": answer(b"", "503 Busy"),
    "/login": answer(b"", "401 Who are you"),
}


def test_no_log_report_table_or_database_shows_a_token(tmp_path: Path) -> None:
    data, env = tmp_path / "data", line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", GLIMMR_LOG_LEVEL="debug")
    env |= {"GLIMMR_LOG_FILE": str(tmp_path / "log"), "GLIMMR_ALERT_WEBHOOK": "http://127.0.0.1:1/hooks/TOPSECRET"}
    with HttpServer(SCRIPTS) as server:
        urls = [server.url(f"{path}?sig=TOPSECRET", "me:PASSWORD@127.0.0.1") for path in (*SCRIPTS, "/none")]
        rows = [("H", "VT", f"47{number:04}", url) for number, url in enumerate(urls)]
        rows += [("H", "VT", "470099", f"ftp://me:PASSWORD@127.0.0.1/{'x' * 9}?token=TOPSECRET")]
        listed = line.write_list(tmp_path / "list.csv", rows)
        said = [
            line.glimmr("run", "--from", listed, "--data", data, env=env),
            line.glimmr("parse", urls[0], "--to", tmp_path / "out/", "--report", tmp_path / "report.json", env=env),
            line.glimmr("download", urls[3], "--to", tmp_path / "brought.csv", "--json", env=env),
            line.glimmr("download", urls[6], env=env, exit_code=None),
            line.glimmr("alerts", "look", "--data", data, env=env, exit_code=None),
            line.glimmr("alerts", "test", "--data", data, env=env, exit_code=1),
            *(line.glimmr("logs", number, "--data", data, env=env) for number in ("2", "3", "4")),
        ]
    settings = load(data=data, min_free_bytes=1)
    status, jobs = looking.status(settings), looking.jobs(settings, 1000)
    assert status["counts"]["published"] >= 2
    assert {row["outcome"] for row in status["outcomes"]} >= {"ok", "gone", "blocked", "unreachable", "unsafe"}
    wanted, _ = app.dry_run(settings, [("listing", str(listed))], None)
    spoken = [done.stdout + done.stderr for done in said] + [(tmp_path / "log").read_text()]
    assert '"event":"job.gave_up"' in spoken[-1]
    spoken += [str(told) for told in (status, jobs, wanted, app.doctor(settings, fix=False))]
    spoken += [(tmp_path / "report.json").read_text()]
    tables = line.bare(data)
    spoken += [str(tables.execute(f"SELECT to_json(t)::VARCHAR FROM {name} AS t").fetchall()) for name in line.TABLES]
    shown = [text for text in spoken for secret in SECRETS if secret in text]
    assert shown == []
    assert _cells_with_secrets(data / "glimmr.sqlite") == {("price_files", "url")}


@pytest.mark.long
@pytest.mark.timeout(120)
def test_no_log_of_a_fleet_shows_a_password_of_its_settings(
    postgresql: PostgreSql, redis_server: RedisServer, bucket: str, tmp_path: Path
) -> None:
    redis_server.run("FLUSHALL")
    redis_server.run("ACL", "SETUSER", "glimmr", "on", ">REDISPASSWORD", "~*", "&*", "+@all")
    urls = {
        "GLIMMR_DATABASE_URL": postgresql.url().replace("postgres@", "postgres:PASSWORD%2Fdb@"),
        "GLIMMR_REDIS_URL": f"redis://glimmr:REDISPASSWORD@127.0.0.1:{redis_server.port}/0",
        "GLIMMR_STORE_URL": bucket,
        "GLIMMR_SMTP_URL": "smtp://me:PASSWORD@127.0.0.1:1",
        "GLIMMR_ALERT_MAIL": "ops@h.example",
        "AWS_SECRET_ACCESS_KEY": "PASSWORD-of-aws",
    }
    data, kept = tmp_path / "data", tmp_path / "log"
    env = line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", GLIMMR_LOG_LEVEL="debug", GLIMMR_LOG_FILE=str(kept))
    with HttpServer(SCRIPTS) as server:
        asked = [server.url(f"{path}?sig=TOPSECRET", "me:PASSWORD@127.0.0.1") for path in ("/good.csv", "/cut")]
        rows = [("H", "VT", f"47{number:04}", url) for number, url in enumerate(asked)]
        listed = line.write_list(tmp_path / "list.csv", rows)
        wrong = urls | {"GLIMMR_REDIS_URL": urls["GLIMMR_REDIS_URL"].replace("REDIS", "WRONGREDIS")}
        said = [
            line.glimmr("run", "--from", listed, "--data", data, env=env | urls),
            line.glimmr("worker", "--drain", "--data", data, env=env | wrong),
            line.glimmr("status", "--data", data, env=env | wrong),
            line.glimmr("alerts", "test", "--data", data, env=env | urls, exit_code=1),
            line.glimmr(
                "status", env=env | urls | {"GLIMMR_DATABASE_URL": "postgresql:/PASSWORD/PASSWORD"}, exit_code=2
            ),
        ]
    spoken = [done.stdout + done.stderr for done in said] + [kept.read_text()]
    assert '"event":"job.finished"' in spoken[-1]
    assert [text for text in spoken for secret in SECRETS if secret in text] == []


def _cells_with_secrets(path: Path) -> set[tuple[str, str]]:
    """Where in the database a token stands."""
    found = set[tuple[str, str]]()
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f"SELECT * FROM {name}"):
                cells = {column: str(row[column]) for column in row.keys()}  # noqa: SIM118 - a Row has no `items`
                found |= {(name, column) for column, text in cells.items() if any(one in text for one in SECRETS)}
    return found

"""`glimmr logs`: what is kept of a job, for who is called at night."""

import json
from pathlib import Path

from tests.support import line
from tests.support.http_server import HttpServer, answer
from tests.support.shop import table


def test_a_job_tells_its_runs_with_reasons_and_its_lines_in_their_order(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "log"
    env = line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", GLIMMR_MAX_ATTEMPTS="2")
    with HttpServer({"/busy": answer(b"", "503 Busy"), "/good.csv": answer(table(5))}) as server:
        rows = [("H", "VT", f"47000{n}", server.url(path)) for n, path in enumerate(("/busy", "/good.csv"))]
        listed = line.write_list(tmp_path / "list.csv", rows)
        line.glimmr("run", "--from", listed, "--data", data, env=env | {"GLIMMR_LOG_FILE": str(kept)})
    found = json.loads(line.glimmr("jobs", "--reason", "unavailable", "--data", data, "--json", env=env).stdout)
    (job,) = [one for one in found if one["step"] == "download"]
    with_file = env | {"GLIMMR_LOG_FILE": str(kept)}
    said = line.glimmr("logs", str(job["id"]), "--data", data, env=with_file)
    assert said.stderr == ""
    told = said.stdout.splitlines()
    assert told[0].startswith(f"download {job['id']}: dead unreachable unavailable http://127.0.0.1")
    ends = [row for row in told if " ended as " in row]
    assert "ended as retry, unavailable: " in ends[0]
    assert "ended as unreachable, unavailable: " in ends[-1]
    begins = [number for number, row in enumerate(told) if row.endswith(" began")]
    assert len(begins) == len(ends) > 1
    assert begins[0] < told.index(ends[0]) < begins[1]
    as_json = json.loads(line.glimmr("logs", str(job["id"]), "--data", data, "--json", env=with_file).stdout)
    assert {row["job"] for row in as_json["lines"]} == {job["id"]}
    assert [row["event"] for row in as_json["lines"]][-1] == "job.gave_up"
    assert len(as_json["job"]["attempts"]) == len(ends)
    bare = line.glimmr("logs", str(job["id"]), "--data", data, env=env)
    assert "set GLIMMR_LOG_FILE" in bare.stderr
    assert {ends[0], told[begins[0]]} <= set(bare.stdout.splitlines())
    for number in ("999", "9" * 30):
        missing = line.glimmr("logs", number, "--data", data, env=env, exit_code=2)
        assert missing.stderr.startswith(f"glimmr: there is no job {number} ")

"""What deploy/ says is what the program has: commands, settings, exit codes; every server is asked for its health."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from glimmr.cli.main import app
from glimmr.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
_IMAGES = {"postgres", "redis", "minio/minio", "glimmr"}
_COMMANDS = set(vars(typer.main.get_command(app))["commands"])
_STOPS_WITHIN = 30
_SETTINGS = {f"GLIMMR_{name.upper()}" for name in Settings.model_fields}


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def unit(path: Path) -> configparser.SectionProxy:
    parsed = configparser.ConfigParser(strict=True, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(path.read_text(encoding="utf-8").replace("EnvironmentFile", "Environment_File"))
    return parsed["Service"]


def test_compose_has_only_servers_everybody_knows() -> None:
    services = compose()["services"]
    assert {service["image"].partition(":")[0] for service in services.values()} == _IMAGES
    assert not any("ports" in service for service in services.values()), "nothing is opened on the host"


def test_every_server_is_asked_for_its_health_and_waited_for() -> None:
    services = compose()["services"]
    for name, service in services.items():
        assert "healthcheck" in service or name == "bucket", name
        for other, how in service.get("depends_on", {}).items():
            ends = other == "bucket"
            assert how == {"condition": "service_completed_successfully" if ends else "service_healthy"}
            assert ends or "healthcheck" in services[other]
    assert set(services["worker"]["depends_on"]) == {"postgres", "redis", "bucket"}


def test_a_worker_is_run_by_a_command_there_is_with_settings_there_are() -> None:
    worker = compose()["services"]["worker"]
    assert worker["command"][0] in _COMMANDS
    given = {name for name in worker["environment"] if name.startswith("GLIMMR_")}
    assert {"GLIMMR_DATABASE_URL", "GLIMMR_STORE_URL", "GLIMMR_REDIS_URL"} <= given <= _SETTINGS
    assert worker["restart"] == "always"
    assert int(worker["stop_grace_period"].removesuffix("s")) > _STOPS_WITHIN


def test_volumes_are_declared_and_nothing_else_is_mounted() -> None:
    told = compose()
    used = {mount.partition(":")[0] for service in told["services"].values() for mount in service.get("volumes", ())}
    assert used == set(told["volumes"])


def test_no_password_is_written_down() -> None:
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or "SECRET" in name or "AUTH" in name:
                assert value.startswith("${GLIMMR_PASSWORD"), name


def test_docker_compose_takes_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    done = subprocess.run(
        [docker, "compose", "--file", DEPLOY / "compose.yaml", "config", "--format", "json"],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path), "GLIMMR_PASSWORD": "x"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == set(compose()["services"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_there_is_and_gives_it_time_to_stop(path: Path) -> None:
    service = unit(path)
    program, command = service["ExecStart"].split()
    assert program.endswith("/.venv/bin/glimmr")
    assert command in _COMMANDS
    assert service["Environment"].partition("=")[0] in _SETTINGS
    assert int(service["TimeoutStopSec"]) > _STOPS_WITHIN
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2"), "75 is to be started again"
    assert service["OOMPolicy"] == "continue", "a child that is killed must not end its worker"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS:
        text = re.sub(r"(?m)^(ExecStart)=\S+", r"\1=/bin/true", path.read_text(encoding="utf-8"))
        name = path.name.replace("@.", "@1.")
        (tmp_path / name).write_text(text.replace("User=glimmr", "User=daemon"), encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert name not in done.stderr, done.stderr


def test_the_readme_names_every_file_and_only_commands_there_are() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for path in (*UNITS, DEPLOY / "compose.yaml", DEPLOY / "Dockerfile", *(DEPLOY / "grafana").glob("glimmr.json")):
        assert path.relative_to(DEPLOY).as_posix() in text, path
    asked = re.findall(r"run --rm worker (\w+)", text)
    assert asked
    assert set(asked) <= _COMMANDS

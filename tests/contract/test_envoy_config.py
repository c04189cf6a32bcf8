"""Envoy itself accepts the configurations that we write."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.contracts import ROOT
from shoald.supervisor import binaries
from shoald.supervisor.envoy_config import EnvoyForm, render

FORM: dict[str, Any] = {
    "listen": "127.0.0.1:8000",
    "admin": "127.0.0.1:9901",
    "unary": ("127.0.0.1:50051", "127.0.0.1:50053"),
    "streams": ("127.0.0.1:50052", "127.0.0.1:50054"),
}


def validate(file: Path) -> None:
    command = [binaries.envoy(), "--mode", "validate", "-c", str(file), "-l", "warning"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[:2000]
    assert "eprecated" not in done.stderr, done.stderr[:2000]


@pytest.mark.parametrize("more", [{}, {"otlp_endpoint": "http://127.0.0.1:4317"}, {"origins": ("https://a.example",)}])
def test_envoy_accepts_the_embedded_form(tmp_path: Path, more: dict[str, Any]) -> None:
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(render(EnvoyForm(**FORM, **more))))
    validate(file)


def test_envoy_accepts_what_docker_compose_mounts(tmp_path: Path) -> None:
    text = (ROOT / "envoy" / "envoy.yaml").read_text()
    assert "/etc/shoal/descriptors/shoal.binpb" in text
    file = tmp_path / "envoy.yaml"
    file.write_text(text.replace("/etc/shoal/descriptors", str(ROOT / "gen" / "envoy")))
    validate(file)


def test_every_server_process_is_an_endpoint() -> None:
    clusters = {cluster["name"]: cluster for cluster in render(EnvoyForm(**FORM))["static_resources"]["clusters"]}
    for name, ports in (("unary", [50051, 50053]), ("streams", [50052, 50054])):
        endpoints = clusters[name]["load_assignment"]["endpoints"][0]["lb_endpoints"]
        assert [e["endpoint"]["address"]["socket_address"]["port_value"] for e in endpoints] == ports


def test_the_compose_file_has_the_same_rules_as_the_embedded_form() -> None:
    ours = render(EnvoyForm(**FORM))["static_resources"]["listeners"][0]
    theirs = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())["static_resources"]["listeners"][0]
    for listener in (ours, theirs):
        del listener["address"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        transcoder = next(f for f in manager["http_filters"] if f["name"].endswith("transcoder"))
        del transcoder["typed_config"]["proto_descriptor"]
    assert theirs == ours

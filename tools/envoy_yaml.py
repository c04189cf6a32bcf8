"""Writes `envoy/envoy.yaml`, the configuration of docker-compose.yml, by the same rules as the embedded form's."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from shoald.supervisor.envoy_config import EnvoyForm, render

_HEAD = """\
# Envoy before Shoal in docker-compose.yml. Written by `make gen` from proto/ and src/shoald/supervisor/envoy_config.py;
# for other hosts, ports or limits change `tools/envoy_yaml.py` and run it again.
"""


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it is."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def compose_form(routes_file: Path) -> EnvoyForm:
    """Return what is so in docker-compose.yml: names of services as hosts, the descriptor set mounted beside it."""
    return EnvoyForm(
        listen="0.0.0.0:8000",  # inside its container; docker-compose.yml says who reaches it
        admin="127.0.0.1:9901",
        unary=("serve:50051",),
        streams=("serve:50052",),
        descriptors="/etc/shoal/descriptors/shoal.binpb",
        by_name=True,
        routes=json.loads(routes_file.read_text(encoding="utf-8")),
    )


def write_yaml(routes_file: Path, out: Path) -> None:
    """Write the file."""
    text = yaml.dump(render(compose_form(routes_file)), Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True)
    out.write_text(_HEAD + text, encoding="utf-8")

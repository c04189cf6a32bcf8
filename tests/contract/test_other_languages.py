"""What languages without a client of ours generate from: templates for buf, and the contract without its rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pb2

from contract.contracts import ROOT

OTHERS = ROOT / "examples" / "clients" / "others"
PLAIN = ROOT / "gen" / "clients" / "shoal_without_rules.binpb"


def files_of(path: Path) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    return {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file}


def fields_of(message: descriptor_pb2.DescriptorProto) -> Any:
    fields = [(field.name, field.number, field.type, field.type_name, field.label) for field in message.field]
    return message.name, fields, [fields_of(nested) for nested in message.nested_type]


@pytest.mark.parametrize("template", sorted(OTHERS.glob("*.gen.yaml")), ids=lambda path: path.name)
def test_templates_name_a_plugin_and_a_folder_and_are_told_in_the_page(template: Path) -> None:
    read = yaml.safe_load(template.read_text())
    assert read["version"] == "v2"
    assert {frozenset(plugin) - {"opt"} for plugin in read["plugins"]} == {
        frozenset({"remote", "out", "include_imports"})
    }
    assert f"`{template.name}`" in (OTHERS / "README.md").read_text()


def test_the_contract_without_rules_is_the_contract() -> None:
    whole, plain = files_of(PLAIN.with_name("shoal.binpb")), files_of(PLAIN)
    assert set(whole) - set(plain) == {"buf/validate/validate.proto"}
    for name, file in plain.items():
        assert "buf/validate/validate.proto" not in file.dependency
        assert list(map(fields_of, file.message_type)) == list(map(fields_of, whole[name].message_type))
        assert file.service == whole[name].service


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("protoc") is None, reason="needs protoc: apt-get install protobuf-compiler")
@pytest.mark.parametrize("language", ["php", "csharp", "kotlin", "objc"])
def test_protoc_makes_messages_of_it(language: str, tmp_path: Path) -> None:
    names = [name for name in files_of(PLAIN) if name.startswith("shoal/")]
    command = ["protoc", f"--descriptor_set_in={PLAIN}", f"--{language}_out={tmp_path}"]
    command += ["--csharp_opt=base_namespace="] if language == "csharp" else []  # both families have an artifact.proto
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"CreateProjectRequest" in path.read_bytes() for path in made)

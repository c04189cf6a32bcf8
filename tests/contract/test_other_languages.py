"""What languages without a client of ours generate from: templates for buf, and the contract without its rules."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
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


TEMPLATES = [*sorted(OTHERS.glob("*.gen.yaml")), OTHERS.parent / "go" / "buf.gen.yaml"]
# languages whose protobuf packages bring google's own messages, the types of errors among them
HAVE_GOOGLE = ("php", "csharp", "kotlin", "go")

RECORDER = """
import sys
from google.protobuf.compiler import plugin_pb2 as pb
request = pb.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
answer = pb.CodeGeneratorResponse(supported_features=1)
for name in request.file_to_generate:
    answer.file.add(name=sys.argv[1] + "/" + name, content=request.parameter)
sys.stdout.buffer.write(answer.SerializeToString())
"""


def language_of(template: Path) -> str:
    return template.parent.name if template.name == "buf.gen.yaml" else template.name.partition(".")[0]


def generate(template: Path, place: Path, local: Callable[[str], dict[str, Any]]) -> None:
    """Run buf over a template as it is, but for the plugins, which are of this machine."""
    read = yaml.safe_load(template.read_text())
    plugins = [(one, local(one.pop("remote"))) for one in read["plugins"]]
    read["plugins"] = [{**one, **own} for one, own in plugins if own]
    image = (template.parent / read["inputs"][0]["binary_image"]).resolve()
    assert image == PLAIN
    (place / "image.binpb").symlink_to(image)
    read["inputs"][0]["binary_image"] = "image.binpb"
    (place / "template.yaml").write_text(yaml.safe_dump(read))
    buf = Path(sys.executable).with_name("buf")
    done = subprocess.run(
        [buf, "generate", "--template", "template.yaml"], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("template", TEMPLATES, ids=language_of)
def test_buf_hands_each_plugin_what_its_language_lacks(template: Path, tmp_path: Path) -> None:
    (tmp_path / "record.py").write_text(RECORDER)
    numbers = itertools.count()
    generate(template, tmp_path, lambda _: {"local": [sys.executable, "record.py", str(next(numbers))]})
    ours = {name for name in files_of(PLAIN) if name.startswith("shoal/")}
    for plugin in range(next(numbers)):
        handed = {str(path.relative_to(top)) for top in tmp_path.rglob(str(plugin)) for path in top.rglob("*.proto")}
        googles = handed - ours
        assert handed >= ours
        assert not any(name.startswith("google/protobuf/") for name in googles)
        wanted = set() if language_of(template) in HAVE_GOOGLE else {"google/rpc/error_details.proto"}
        assert wanted <= googles
        assert bool(googles) == bool(wanted)


@pytest.mark.parametrize("template", sorted(OTHERS.glob("*.gen.yaml")), ids=language_of)
def test_the_page_names_each_template(template: Path) -> None:
    assert f"`{template.name}`" in (OTHERS / "README.md").read_text()


def test_the_contract_without_rules_is_the_contract() -> None:
    whole, plain = files_of(PLAIN.with_name("shoal.binpb")), files_of(PLAIN)
    assert set(whole) - set(plain) == {"buf/validate/validate.proto"}
    for name, file in plain.items():
        assert "buf/validate/validate.proto" not in file.dependency
        assert list(map(fields_of, file.message_type)) == list(map(fields_of, whole[name].message_type))
        assert file.service == whole[name].service


BUILT_IN = ("php", "csharp", "java", "kotlin")


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("protoc") is None, reason="needs protoc: apt-get install protobuf-compiler")
@pytest.mark.parametrize("language", ["php", "csharp", "kotlin"])
def test_the_templates_make_messages_by_protoc(language: str, tmp_path: Path) -> None:
    def built_in(remote: str) -> dict[str, Any]:
        owner, name = remote.split("/")[1:3]
        return {"protoc_builtin": name} if owner == "protocolbuffers" and name in BUILT_IN else {}

    generate(OTHERS / f"{language}.gen.yaml", tmp_path, built_in)
    made = [path for path in (tmp_path / "gen" / language).rglob("*") if path.is_file()]
    assert any(b"CreateProjectRequest" in path.read_bytes() for path in made)


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("protoc") is None, reason="needs protoc: apt-get install protobuf-compiler")
def test_protoc_makes_messages_for_objective_c(tmp_path: Path) -> None:
    names = [name for name in files_of(PLAIN) if name.startswith("shoal/")]
    command = ["protoc", f"--descriptor_set_in={PLAIN}", f"--objc_out={tmp_path}"]
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any(b"CreateProjectRequest" in path.read_bytes() for path in tmp_path.rglob("*.m"))

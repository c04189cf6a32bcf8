"""What the contract tells the generators of other languages: where its packages lie there."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2

from contract.contracts import load_all

FILES = [
    descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb) for file in load_all() if "shoal" in file.name
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_every_file_names_its_package_in_each_language(file: descriptor_pb2.FileDescriptorProto) -> None:
    family = file.package.split(".")[1]
    title, options = family.capitalize(), file.options
    assert options.go_package == f"shoal/{family}/v1;{family}v1"
    assert (options.java_package, options.java_multiple_files) == (f"shoal.{family}.v1", True)
    assert options.csharp_namespace == f"Shoal.{title}.V1"
    assert options.php_namespace == f"Shoal\\{title}\\V1"
    assert options.ruby_package == f"Shoal::{title}::V1"
    assert options.objc_class_prefix == f"SH{title[0]}"


def java_classes(file: descriptor_pb2.FileDescriptorProto) -> list[str]:
    """Return the classes that protoc writes for a file: one of its own, named after it, and one a type."""
    types = [one.name for kind in (file.message_type, file.enum_type) for one in kind]
    types += [f"{one.name}Grpc" for one in file.service]
    stem = file.name.rpartition("/")[2].removesuffix(".proto")
    own = file.options.java_outer_classname or "".join(word.capitalize() for word in stem.split("_"))
    inner = {one.name for kind in (file.message_type, file.enum_type, file.service) for one in kind}
    return [*types, f"{own}OuterClass" if own in inner else own]


def test_no_two_java_classes_of_a_package_have_one_name() -> None:
    found: dict[tuple[str, str], str] = {}
    for file in FILES:
        for name in java_classes(file):
            other = found.setdefault((file.package, name), file.name)
            assert other == file.name, f"{name} of {file.name} and {other}: set java_outer_classname in one"

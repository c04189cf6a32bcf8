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

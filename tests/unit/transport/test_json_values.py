"""Messages as the documents show them, written here without Envoy."""

from __future__ import annotations

import json

import pytest
from google.protobuf import struct_pb2
from shoal.clusters.v1 import collection_document_pb2
from shoal.rag.v1 import project_pb2, project_service_pb2

from shoald.transport.json_values import bare_array_field, documented, mark_nulls, plain, to_struct, to_value

FREE = {"n": 1, "x": 0.5, "t": True, "none": None, "list": [1, "a", {"b": []}], "big": 1e300, "s": "ü"}


def test_free_objects_come_back_as_they_were() -> None:
    assert plain(to_value(FREE)) == FREE
    assert isinstance(plain(to_value(3.0)), int)
    assert json.loads(json.dumps(documented(to_struct(FREE)))) == FREE


def test_what_json_has_not_is_refused_or_null() -> None:
    with pytest.raises(TypeError):
        to_value(object())
    assert plain(struct_pb2.Value(number_value=float("nan"))) is None


def test_unset_fields_are_null_and_lists_are_there() -> None:
    shown = documented(project_pb2.Project(name="n"))
    assert shown == {
        "project_id": "",
        "name": "n",
        "description": None,
        "settings": None,
        "created_at": None,
        "updated_at": None,
    }


def test_a_bare_array_is_a_list() -> None:
    answer = project_service_pb2.ListProjectsResponse(projects=[project_pb2.Project(name="a")])
    assert bare_array_field(answer.DESCRIPTOR) == "projects"
    assert [entry["name"] for entry in documented(answer)] == ["a"]


def test_numbers_of_32_bits_have_as_many_digits_as_they_need() -> None:
    vector = collection_document_pb2.DenseVector(values=[0.1, 3.14159274, 1.0, 1e-7])
    assert json.dumps(documented(vector)["values"]) == "[0.1, 3.14159274, 1, 1e-07]"


def test_marks_are_skipped_by_whoever_does_not_know_them() -> None:
    project = project_pb2.Project(name="n")
    project.settings.default_chunking_preset = "p"
    plain_size = project.ByteSize()
    mark_nulls(project)
    again = project_pb2.Project.FromString(project.SerializeToString())
    assert project.ByteSize() > plain_size
    assert not again.HasField("description")
    assert again.settings.default_chunking_preset == "p"

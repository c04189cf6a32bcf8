"""Payload fields that a change of a namespace declares: free values, held to the rules of those that are typed."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from shoal.clusters.v1 import namespace_service_pb2 as pb

from shoald.domain.failures import InvalidFields
from shoald.domain.records.collection import PayloadIndex
from shoald.transport.mapping.clusters.namespaces import changes_of


def declared(*entries: Any) -> tuple[PayloadIndex, ...] | None:
    body = pb.UpdateNamespaceBody()
    json_format.ParseDict({"payload_indexes": list(entries)}, body)
    return changes_of(body).payload_indexes


def test_an_empty_list_declares_none_and_an_absent_one_changes_nothing() -> None:
    assert declared() == ()
    assert changes_of(pb.UpdateNamespaceBody()).payload_indexes is None
    assert declared({"field_name": "n", "type": "integer"}) == (PayloadIndex(field_name="n", type="integer"),)


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ("n", ()),
        (None, ()),
        ({"field_name": "", "type": "integer"}, ("field_name",)),
        ({"field_name": ["n"], "type": "integer"}, ("field_name",)),
        ({"field_name": "n" * 256, "type": "integer"}, ("field_name",)),
        ({"field_name": "n"}, ("type",)),
        ({"field_name": "n", "type": "colour"}, ("type",)),
        ({"field_name": "n", "type": ["integer"]}, ("type",)),
        ({"field_name": "n", "type": {}}, ("type",)),
    ],
)
def test_what_declares_no_field_is_refused_where_it_stands(entry: Any, where: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFields) as met:
        declared({"field_name": "fine", "type": "keyword"}, entry)
    assert [one.loc for one in met.value.problems] == [("body", "payload_indexes", 1, *where)]

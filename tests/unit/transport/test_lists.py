"""What lists are asked for in a query string: JSON of callers, which no parser of a body has looked at."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from shoal.clusters.v1 import collection_document_service_pb2 as pb

from shoald.application.listing import condition_of
from shoald.domain.failures import InvalidFields
from shoald.transport.mapping.clusters.document_pages import document_query
from shoald.transport.mapping.clusters.lists import list_query

_CIRCLE = '{"field": "a", "operator": "geo_radius", "value": {"center": {"lat": 1, "lon": 1}, "radius": 1%s}}'


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"a": "\\u0000"}',
        '{"a": 12345678901234567}',
        '{"a": ' * 3000,
        '{"a": ' + "[" * 3000,
        '{"NOT": ' * 25 + '{"a": 1}' + "}" * 25,
        _CIRCLE % ("0" * 400),
    ],
)
def test_filters_that_no_body_could_hold_are_refused_by_their_name(text: str) -> None:
    with pytest.raises(InvalidFields) as met:
        list_query(pb.ListDocumentsRequest(filters=text))
    assert met.value.problems[0].loc == ("query", "filters")


def test_filters_of_the_query_string_are_those_of_a_body() -> None:
    query = list_query(pb.ListDocumentsRequest(filters='{"AND": [{"field": "n", "operator": "gte", "value": 2}]}'))
    assert query.filters == {"AND": [{"field": "n", "operator": "gte", "value": 2}]}
    assert condition_of(query.filters) is not None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"field": ' * 3000,
        '{"field": "\\ud800"}',
        '{"field": "n", "direction": ["asc"]}',
        '{"field": "n", "direction": {"asc": 1}}',
        '{"field": 1}',
        "{}",
    ],
)
def test_a_key_to_sort_by_that_is_none_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(InvalidFields) as met:
        list_query(pb.ListDocumentsRequest(sort=text))
    assert met.value.problems[0].loc == ("query", "sort")


@pytest.mark.parametrize("part", [{"index": True, "count": 2}, {"index": 0, "count": True}, {"index": 0.5, "count": 2}])
def test_parts_of_a_list_are_whole_numbers(part: dict[str, Any]) -> None:
    request = json_format.ParseDict({"body": {"partition": part}}, pb.ListDocumentsRequest())
    with pytest.raises(InvalidFields):
        document_query(request)

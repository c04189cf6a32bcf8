from __future__ import annotations

from typing import Any

import pytest

from shoald.domain.clustering.attribute_groups import AttributeParameters, attribute_groups, value_at

GOODS: list[dict[str, Any]] = [
    {"category": "Electronics", "brand": "Apple"},
    {"category": "Electronics", "brand": "Samsung"},
    {"category": "Electronics", "brand": "Samsung"},
    {"category": "Books", "brand": None},
    {"brand": "Apple"},
]


def test_flat_groups_are_the_combinations_that_there_are() -> None:
    found = attribute_groups(GOODS, AttributeParameters(attributes=("category", "brand")))
    assert found.labels == ("Electronics_Samsung", "Electronics_Apple")
    assert found.tree.labels.tolist() == [1, 0, 0, -1, -1]
    assert found.tree.ids == ("cl_Electronics_Samsung", "cl_Electronics_Apple")


def test_nested_groups_follow_the_order_of_the_attributes() -> None:
    found = attribute_groups(GOODS, AttributeParameters(attributes=("category", "brand"), hierarchical=True))
    assert found.labels == ("Electronics", "Books", "Samsung", "Apple")
    assert found.tree.parents.tolist() == [-1, -1, 0, 0]
    assert found.tree.ids[2] == "cl_Electronics_sub_Samsung"
    assert found.tree.labels.tolist() == [3, 2, 2, 1, -1]
    assert found.tree.at_level(0).tolist() == [0, 0, 0, 1, -1]


@pytest.mark.parametrize(("aggregation", "expected"), [("most_frequent", "b"), ("first", "a"), ("last", "c")])
def test_a_list_of_values_becomes_one(aggregation: str, expected: str) -> None:
    assert value_at({"tags": ["a", "b", "b", None, "c"]}, "tags", aggregation) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"metadata": {"author": "Ada"}}, "Ada"),
        ({"metadata.author": "Ada"}, "Ada"),
        ({"metadata": [1]}, None),
        ({"metadata": {"author": ""}}, None),
        ({"metadata": {"author": 3.0}}, "3.0"),
        ({"metadata": {"author": False}}, "false"),
        ({"metadata": {"author": []}}, None),
    ],
)
def test_values_lie_at_dotted_paths(payload: dict[str, Any], expected: str | None) -> None:
    assert value_at(payload, "metadata.author") == expected


def test_values_that_read_alike_have_ids_of_their_own() -> None:
    found = attribute_groups([{"n": "a b"}, {"n": "a/b"}, {"n": "%"}], AttributeParameters(attributes=("n",)))
    assert sorted(found.tree.ids) == ["cl_a-b", "cl_a-b~2", "cl_blank"]


def test_numbers_in_lists_are_places() -> None:
    assert value_at({"blobs": [{"kind": "image"}]}, "blobs.0.kind") == "image"
    assert value_at({"blobs": []}, "blobs.0.kind") is None


def test_no_documents_make_no_groups() -> None:
    found = attribute_groups([], AttributeParameters(attributes=("a",)))
    assert (len(found.tree), found.labels) == (0, ())

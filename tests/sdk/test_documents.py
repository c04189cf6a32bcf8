"""CollectionsApi, CollectionDocumentsApi, DocumentsApi and BYODocumentsApi, and those of the hand-written client."""

from __future__ import annotations

import json
import secrets
import urllib.request
from typing import Any

import mixpeek
import pytest
from mixpeek.exceptions import (
    BadRequestException,
    ConflictException,
    NotFoundException,
    UnprocessableEntityException,
)

from sdk.conftest import Own
from support import sdk_world
from support.stack import Stack

ROWS = 12


@pytest.fixture
def things(own: Own) -> str:
    """The collection `things` with twelve documents of the test's own."""
    return sdk_world.upload(own.client, own.namespace, number=ROWS)


def extractor() -> Any:
    model = mixpeek.SharedCollectionFeaturesExtractorsModelsFeatureExtractorConfigInput
    return model(feature_extractor_name="text_extractor", version="v2")


def new_collection(name: str, **asked: Any) -> Any:
    source = mixpeek.SourceConfigInput(type="bucket", bucket_ids=["bkt_a"])
    return mixpeek.CreateCollectionRequest(collection_name=name, source=source, feature_extractor=extractor(), **asked)


def where(field: str, operator: str, value: Any) -> Any:
    condition = {"field": field, "operator": operator, "value": value}
    return mixpeek.LogicalOperatorInput.from_dict({"AND": [condition]})


def ids(documents: Any) -> list[str]:
    return [one.document_id for one in documents]


def test_a_collection_is_made_read_changed_cloned_and_deleted(own: Own) -> None:
    api = mixpeek.CollectionsApi(own.client)
    made = api.create_collection(new_collection("articles", description="news", metadata={"team": "a"}))
    assert (made.collection_name, made.description, made.metadata) == ("articles", "news", {"team": "a"})
    assert (made.source.type, made.source.bucket_ids) == ("bucket", ["bkt_a"])
    assert made.feature_extractor.feature_extractor_id == "text_extractor_v2"
    assert api.get_collection("articles") == api.get_collection(made.collection_id) == made
    changed = api.update_collection("articles", {"description": "old news", "metadata": {"team": "b"}})
    assert (changed.collection_name, changed.description, changed.metadata) == ("articles", "old news", {"team": "b"})
    clone = api.clone_collection("articles", mixpeek.CloneCollectionRequest(collection_name="copies"))
    assert clone.source_collection_id == made.collection_id
    assert (clone.collection.description, clone.collection.source.bucket_ids) == ("old news", ["bkt_a"])
    with pytest.raises(ConflictException):
        api.create_collection(new_collection("articles"))
    with pytest.raises(UnprocessableEntityException):
        api.create_collection(new_collection("ab"))
    api.delete_collection("articles")
    for call in (api.get_collection, api.delete_collection, api.describe_collection_features):
        with pytest.raises(NotFoundException):
            call("articles")


def test_collections_are_listed_in_every_form(own: Own, things: str) -> None:
    api = mixpeek.CollectionsApi(own.client)
    for name in ("alpha", "beta"):
        api.create_collection(new_collection(name))
    listed = api.list_collections()
    assert [one.collection_name for one in listed.results] == ["beta", "alpha", "things"]
    assert (listed.total_count, listed.stats.total_documents) == (3, ROWS)
    assert [one.collection_name for one in api.list_collections_get(search="alph").results] == ["alpha"]
    sort = mixpeek.SortOption(field="collection_name", direction="asc")
    asked = mixpeek.ListCollectionsRequest(sort=sort, limit=2)
    page = api.list_collections(list_collections_request=asked)
    assert [one.collection_name for one in page.results] == ["alpha", "beta"]
    rest = api.list_collections(cursor=page.pagination.next_cursor, list_collections_request=asked)
    assert [one.collection_name for one in rest.results] == ["things"]
    filters = {"AND": [{"field": "collection_name", "operator": "eq", "value": "things"}]}
    chosen = api.list_collections(list_collections_request=mixpeek.ListCollectionsRequest(filters=filters))
    assert [one.collection_id for one in chosen.results] == [things]


def test_a_collection_is_exported_into_files(own: Own, things: str) -> None:
    api = mixpeek.CollectionsApi(own.client)
    asked = mixpeek.CollectionExportRequest(format="json", include_vectors=True, select_fields=["n"])
    export = api.export_collection("things", asked)
    assert (export.document_count, export.format.value) == (ROWS, "json")
    with urllib.request.urlopen(export.download_url) as answer:  # noqa: S310 - the address comes from the server under test
        body = answer.read()
    assert len(body) == export.file_size_bytes
    assert {json.loads(line)["collection_id"] for line in body.splitlines()} == {things}
    with urllib.request.urlopen(str(export.vectors_download_url)) as answer:  # noqa: S310 - as above
        assert len(answer.read().splitlines()) == ROWS
    assert api.export_collection("things").format.value == "parquet"
    with pytest.raises(UnprocessableEntityException):
        api.export_collection("things", mixpeek.CollectionExportRequest(format="webdataset"))


def test_the_features_of_a_collection_are_its_vectors(own: Own, things: str) -> None:
    (feature,) = mixpeek.CollectionsApi(own.client).describe_collection_features(things).features
    assert feature.feature_uri == feature.feature_address == "mixpeek://byo_vectors@v1/text"
    index = feature.vector_index
    assert (index.name, index.dimensions, index.type, index.distance, feature.primary) == (
        "text",
        4,
        "dense",
        "cosine",
        True,
    )


def test_documents_are_listed_in_every_form(own: Own, things: str) -> None:
    api = mixpeek.CollectionDocumentsApi(own.client)
    page = api.list_documents(things)
    assert len(page.results) == 10
    rest = api.list_documents(things, cursor=page.pagination.next_cursor)
    assert ids([*page.results, *rest.results]) == [f"d{at:03d}" for at in range(ROWS)]
    first = page.results[0]
    assert (first.collection_id, first.additional_properties["n"], first.internal.created_at is not None) == (
        things,
        0,
        True,
    )
    asked = mixpeek.ListDocumentsRequest(
        filters=where("n", "gte", 8),
        sort=mixpeek.SortOption(field="n", direction="desc"),
        include_total=True,
        select=["n"],
        limit=2,
    )
    chosen = api.list_documents(things, list_documents_request=asked)
    assert ids(chosen.results) == ["d011", "d010"]
    assert (chosen.total_documents, chosen.pagination.total, chosen.stats.total_documents) == (4, 4, 4)
    assert set(chosen.results[0].additional_properties) == {"n"}
    got = api.list_documents_0(things, filters='{"even": false}', sort='{"field": "n", "direction": "desc"}', limit=1)
    assert ids(got.results) == ["d011"]
    assert ids(api.list_documents_0(things, sort="n:desc", page=2, page_size=5).results) == [
        f"d{at:03d}" for at in (6, 5, 4, 3, 2)
    ]
    assert ids(api.list_documents(things, search="WHALE", limit=1).results) == ["d001"]
    with pytest.raises(UnprocessableEntityException):
        api.list_documents_0(things, filters="{")


def test_documents_are_put_in_groups_and_split_for_several_readers(own: Own, things: str) -> None:
    api = mixpeek.CollectionDocumentsApi(own.client)
    grouped = api.list_documents(things, list_documents_request=mixpeek.ListDocumentsRequest(group_by="even"))
    assert [(group.group_key, group.count, len(group.documents)) for group in grouped.groups] == [
        (False, 6, 6),
        (True, 6, 6),
    ]
    assert (grouped.group_by_field, grouped.stats.total_groups) == ("even", 2)
    parts = [ids(api.list_documents(things, list_documents_request=_part(at, 2)).results) for at in range(2)]
    assert sorted([*parts[0], *parts[1]]) == [f"d{at:03d}" for at in range(ROWS)]


def _part(index: int, count: int) -> Any:
    partition = mixpeek.ListPartition(index=index, count=count)
    return mixpeek.ListDocumentsRequest(partition=partition, limit=100)


def test_vectors_come_when_they_are_asked_for(own: Own, things: str) -> None:
    api = mixpeek.CollectionDocumentsApi(own.client)
    assert "text" not in api.get_document(things, "d000").additional_properties
    assert len(api.get_document(things, "d000", return_vectors=True).additional_properties["text"]) == 4
    named = api.get_document(things, "d000", return_vector_names="text")
    assert len(named.additional_properties["text"]) == 4
    assert api.get_document(things, "d000", return_vector_names="true").additional_properties["_vectors"] == ["text"]
    asked = mixpeek.ListDocumentsRequest(return_vector_names=mixpeek.ReturnVectorNames(True), limit=1)
    (one,) = api.list_documents(things, list_documents_request=asked).results
    assert one.additional_properties["_vectors"] == ["text"]
    byo = mixpeek.BYODocumentsApi(own.client)
    assert len(byo.get_document_byo_namespaces(own.namespace, "d000", return_vectors=True)["text"]) == 4


def test_a_document_is_made_changed_and_deleted(own: Own, things: str) -> None:
    api = mixpeek.CollectionDocumentsApi(own.client)
    asked = mixpeek.DocumentCreateRequest(
        metadata={"a": 1, "b": 2},
        vectors={"text": [1, 0, 0, 0]},
        additional_properties={"title": "made", "like": "d001"},
    )
    made = api.create_document(things, asked)
    assert made.additional_properties == {"title": "made", "like": "d001", "metadata": {"a": 1, "b": 2}}
    patched = api.patch_document(things, made.document_id, {"title": "new", "metadata": {"a": None, "c": 3}})
    assert patched.additional_properties == {"title": "new", "like": "d001", "metadata": {"b": 2, "c": 3}}
    put = api.update_document(things, made.document_id, {"n": 5})
    assert put.additional_properties == {**patched.additional_properties, "n": 5}
    expanded = api.get_document(things, made.document_id, expand="like").additional_properties["_expanded"]
    assert expanded["like"]["document_id"] == "d001"
    assert api.count_documents(things).count == ROWS + 1
    deleted = api.delete_document(things, made.document_id)
    assert (deleted.success, api.count_documents(things).count) == (True, ROWS)
    with pytest.raises(NotFoundException):
        api.delete_document(things, made.document_id)
    with pytest.raises(NotFoundException):
        api.patch_document(things, made.document_id, {"n": 1})
    with pytest.raises(UnprocessableEntityException):
        api.patch_document(things, "d000", {"document_id": "other"})
    with pytest.raises(BadRequestException):
        api.create_document(things, mixpeek.DocumentCreateRequest(vectors={"text": [1, 2]}))


def test_documents_are_changed_and_deleted_in_batches(own: Own, things: str) -> None:
    api = mixpeek.CollectionDocumentsApi(own.client)
    updates = [mixpeek.BatchDocumentUpdate(document_id=one, update_data={"mark": one}) for one in ("d000", "nobody")]
    done = api.batch_update(things, mixpeek.BatchUpdateDocumentsRequest(updates=updates))
    assert (done.updated_count, done.failed_count) == (1, 1)
    assert [(one.document_id, one.success) for one in done.results] == [("d000", True), ("nobody", False)]
    even = where("even", "eq", True)
    by_filter = mixpeek.BatchUpdateDocumentsRequest(filters=even, update_data={"metadata.size": "big"})
    assert api.batch_update(things, by_filter).updated_count == 6
    bulk = mixpeek.BulkUpdateDocumentsRequest(update_data={"seen": True})
    assert api.bulk_update(things, bulk).updated_count == ROWS
    assert api.get_document(things, "d000").additional_properties["metadata"] == {"size": "big"}
    gone = api.batch_delete(things, mixpeek.BatchDeleteDocumentsRequest(document_ids=["d000", "nobody"]))
    assert (gone.deleted_count, gone.failed_count) == (1, 1)
    swept = api.batch_delete(things, mixpeek.BatchDeleteDocumentsRequest(filters=even, reason="old"))
    assert (swept.deleted_count, swept.limits) == (5, {"matched": 5})
    with pytest.raises(UnprocessableEntityException):
        api.batch_delete(things, mixpeek.BatchDeleteDocumentsRequest())


def test_figures_and_values_of_fields(own: Own, things: str) -> None:
    api = mixpeek.CollectionDocumentsApi(own.client)
    count = mixpeek.AggregationOperation(function="count", alias="total")
    largest = mixpeek.AggregationOperation(function="max", field="n", alias="largest")
    asked = mixpeek.DocumentAggregationRequest(
        group_by=[mixpeek.GroupByField(field="kind")],
        aggregations=[count, largest],
        filters={"AND": [{"field": "n", "operator": "lt", "value": 11}]},
        sort_by="total",
    )
    answer = api.aggregate_documents(things, asked)
    rows = [(row.group["kind"], row.metrics["total"], row.metrics["largest"]) for row in answer.results]
    assert rows == [("blue whale ocean", 4, 10), ("red apple fruit", 4, 9), ("green leaf forest", 3, 8)]
    assert answer.total_groups == 3
    values = api.distinct_document_values(things, mixpeek.DistinctValuesRequest(field="kind", limit=2))
    assert [(one.value, one.count) for one in values.values] == [("blue whale ocean", 4), ("green leaf forest", 4)]
    assert values.total_distinct == 2


@pytest.mark.usefixtures("things")
def test_documents_of_a_namespace(own: Own) -> None:
    api = mixpeek.DocumentsApi(own.client)
    other = sdk_world.upload(own.client, own.namespace, collection="others", number=2, prefix="o")
    everything = api.list_documents_ns(
        namespace_list_documents_request=mixpeek.NamespaceListDocumentsRequest(limit=100, include_total=True)
    )
    assert everything.total_documents == len(everything.results) == ROWS + 2
    asked = mixpeek.NamespaceListDocumentsRequest(collection_ids=["others", "nothing"])
    some = api.list_documents_ns(namespace_list_documents_request=asked)
    assert (ids(some.results), some.unknown_collection_ids) == (["o000", "o001"], ["nothing"])
    queries = [
        mixpeek.BatchListQuery(key=key, request=mixpeek.NamespaceListDocumentsRequest(collection_ids=[key]))
        for key in ("others", "nothing")
    ]
    first, second = api.list_documents_batch(mixpeek.BatchListDocumentsRequest(queries=queries)).results
    assert (first.key, ids(first.response.results), first.error) == ("others", ["o000", "o001"], None)
    assert (second.key, second.response) == ("nothing", None)
    assert "nothing" in second.error
    found = api.batch_get(mixpeek.BatchGetDocumentsRequest(document_ids=["o001", "nobody", "d000"]))
    assert (ids(found.documents), found.not_found) == (["o001", "d000"], ["nobody"])
    assert api.get_document_ns("o000").collection_id == other
    assert api.patch_document_ns("o000", {"mark": 1}).additional_properties["mark"] == 1
    assert api.update_document_ns("o000", {"mark": 2}).additional_properties["mark"] == 2
    with pytest.raises(NotFoundException):
        api.get_document_ns("nobody")


def test_the_hand_written_client(shoal_up: Stack, own: Own, things: str) -> None:
    client = mixpeek.Mixpeek(api_key="sk_local", namespace=own.namespace, base_url=f"{shoal_up.url}/v1")
    name = f"hand_{secrets.token_hex(4)}"
    made = client.collections.create(collection_name=name, description="by hand", source={"type": "bucket"})
    assert client.collections.get(name)["collection_id"] == made["collection_id"]
    assert {one["collection_name"] for one in client.collections.list()["results"]} == {name, "things"}
    assert client.collections.update(name, description="changed")["description"] == "changed"
    assert client.collections.clone(name, collection_name=f"{name}_2")["source_collection_id"] == made["collection_id"]
    assert client.collections.delete(name)["success"] is True
    page = client.documents.list(things, page_size=5)
    rest = client.documents.list(things, page_size=5, cursor=page["pagination"]["next_cursor"])
    listed = [one["document_id"] for one in [*page["results"], *rest["results"]]]
    assert listed == [f"d{at:03d}" for at in range(10)]
    assert client.documents.update(things, "d000", update_data={"mark": 1})["mark"] == 1
    assert client.documents.get(things, "d000")["mark"] == 1
    updates = [{"document_id": "d001", "update_data": {"mark": 2}}]
    assert client.documents.batch_update(things, updates=updates)["updated_count"] == 1
    assert client.documents.delete(things, "d002")["success"] is True
    stored = client.namespaces.documents.upsert(
        namespace_id=own.namespace, documents=[{"document_id": "x", "vectors": {"v": [1, 2]}}]
    )
    assert stored["inserted"] == 1


def test_declared_fields_are_indexed_by_a_job_and_pages_are_chosen_by_them(own: Own, things: str) -> None:
    collections = mixpeek.CollectionsApi(own.client)
    assert collections.get_collection(things).payload_indexes is None
    indexes = [mixpeek.PayloadIndexConfigInput(field_name=name, type="integer") for name in ("n", "kind")]
    changes = mixpeek.UpdateNamespaceRequest(payload_indexes=indexes)
    mixpeek.NamespacesApi(own.client).update_namespace(own.namespace, changes)
    ready = [{"field_name": name, "state": "ready"} for name in ("kind", "n")]
    sdk_world.awaited(lambda: collections.get_collection(things).payload_indexes, lambda found: found == ready)
    asked = mixpeek.ListDocumentsRequest(filters=where("n", "gte", 9), include_total=True)
    page = mixpeek.CollectionDocumentsApi(own.client).list_documents(things, list_documents_request=asked)
    assert (ids(page.results), page.total_documents) == (["d009", "d010", "d011"], 3)

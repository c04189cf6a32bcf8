"""NamespacesApi, and the namespaces of the hand-written client."""

from __future__ import annotations

import secrets
from typing import Any

import mixpeek
import pytest
from mixpeek.exceptions import ConflictException, NotFoundException, UnprocessableEntityException

from sdk.conftest import Own
from support import sdk_world
from support.stack import Stack


def word() -> str:
    return f"sdk{secrets.token_hex(6)}"


def test_a_namespace_is_made_read_changed_and_deleted(own: Own) -> None:
    api, name = mixpeek.NamespacesApi(own.client), word()
    asked = mixpeek.CreateNamespaceRequest(
        namespace_name=name,
        description="first",
        vector_configs=[mixpeek.VectorConfigSpec(name="text", dimension=4, metric="cosine")],
        payload_indexes=[mixpeek.PayloadIndexConfigInput(field_name="n", type="integer")],
    )
    made = api.create_namespace(asked)
    assert (made.namespace_name, made.description, made.namespace_ready) == (name, "first", True)
    assert [(one.field_name, one.type) for one in made.payload_indexes] == [("n", "integer")]
    assert api.get_namespace(name) == api.get_namespace(made.namespace_id) == made
    other = word()
    changed = api.patch_namespace(name, mixpeek.PatchNamespaceRequest(namespace_name=other, description="second"))
    assert (changed.namespace_id, changed.namespace_name, changed.description) == (made.namespace_id, other, "second")
    assert changed.payload_indexes == made.payload_indexes
    indexes = [mixpeek.PayloadIndexConfigInput(field_name="kind", type="keyword")]
    updated = api.update_namespace(made.namespace_id, mixpeek.UpdateNamespaceRequest(payload_indexes=indexes))
    assert [(one.field_name, one.type) for one in updated.payload_indexes] == [("kind", "keyword")]
    assert updated.namespace_name == other
    with pytest.raises(NotFoundException):
        api.get_namespace(name)
    assert api.delete_namespace(other)["success"] is True
    for call in (api.get_namespace, api.delete_namespace, api.get_namespace_stats):
        with pytest.raises(NotFoundException):
            call(other)


def test_a_deleted_namespace_is_gone_with_all_that_it_held(own: Own, shoal_up: Stack) -> None:
    sdk_world.upload(own.client, own.namespace, number=9)
    cluster = sdk_world.define(own.client)
    sdk_world.execute(own.client, cluster.cluster_id)
    api = mixpeek.NamespacesApi(own.client)
    stats = api.get_namespace_stats(own.namespace)
    assert (stats.document_count >= 9, stats.collection_count >= 1, stats.document_count_complete) == (True,) * 3
    several = api.get_namespace_stats_batch({"namespace_ids": [own.namespace, "ns_nope"]}).stats
    assert several == {own.namespace: stats}
    with sdk_world.client_of(shoal_up.url, None) as outside:
        mixpeek.NamespacesApi(outside).delete_namespace(own.namespace)
        with pytest.raises(NotFoundException):
            mixpeek.NamespacesApi(outside).get_namespace(own.namespace)


def test_lists_have_every_form(own: Own) -> None:
    api, common = mixpeek.NamespacesApi(own.client), word()
    names = [f"{common}-{letter}" for letter in "abc"]
    for name in names:
        api.create_namespace(mixpeek.CreateNamespaceRequest(namespace_name=name))

    def listed(body: Any = None, **query: Any) -> list[str]:
        asked = {"search": common, **(body or {})}
        return [one.namespace_name for one in api.list_namespaces(list_namespaces_request=asked, **query).results]

    assert listed() == names[::-1]
    assert listed(limit=1) == listed(page_size=1, page=1) == listed({"limit": 1}, limit=3) == names[2:]
    assert listed({"sort": {"field": "namespace_name", "direction": "asc"}}) == names
    assert listed({"filters": {"field": "namespace_name", "operator": "ends_with", "value": "-b"}}) == names[1:2]
    first = api.list_namespaces_get(limit=1, include_total=True)
    assert first.total_count == first.pagination.total >= 3
    second = api.list_namespaces_get(limit=1, cursor=first.pagination.next_cursor)
    assert first.results != second.results


def test_names_have_rules(own: Own) -> None:
    api, name = mixpeek.NamespacesApi(own.client), word()
    api.create_namespace(mixpeek.CreateNamespaceRequest(namespace_name=name))
    with pytest.raises(ConflictException):
        api.create_namespace(mixpeek.CreateNamespaceRequest(namespace_name=name))
    with pytest.raises(ConflictException):
        api.patch_namespace(own.namespace, mixpeek.PatchNamespaceRequest(namespace_name=name))
    with pytest.raises(UnprocessableEntityException):
        api.patch_namespace(own.namespace, mixpeek.PatchNamespaceRequest(namespace_name="ns_0123456789"))
    with pytest.raises(ConflictException):
        api.delete_namespace("default")
    with pytest.raises(ConflictException):
        api.patch_namespace("default", mixpeek.PatchNamespaceRequest(namespace_name=word()))


def test_the_hand_written_client_makes_lists_and_deletes(shoal_up: Stack) -> None:
    mine = mixpeek.Mixpeek("sk_local", base_url=f"{shoal_up.url}/v1")
    managed, standalone = word(), word()
    assert mine.namespaces.create(name=managed).namespace_name == managed
    configs = [{"name": "v", "dimension": 2, "metric": "cosine"}]
    made = mine.namespaces.create(namespace_id=standalone, vector_configs=configs)
    assert (made.namespace_id, made.mode, made.status) == (standalone, "standalone", "ready")
    assert mine.namespaces.get(managed).mode == "managed"
    assert mine.namespaces.list().total_count >= 2
    for name in (managed, standalone):
        assert mine.namespaces.delete(name).success is True

"""Every method of the client's APIs for clusters is called by a test beside this one, or left out for a reason."""

from __future__ import annotations

import ast
from pathlib import Path

import mixpeek

HERE = Path(__file__).parent
SOURCES = [*HERE.glob("test_*.py"), HERE.parent / "support" / "sdk_world.py"]
APIS = (
    *("ClustersApi", "ClusterExecutionsApi", "ClusterTriggersApi", "TriggersApi", "TasksApi", "CollectionsApi"),
    *("CollectionDocumentsApi", "DocumentsApi", "BYODocumentsApi", "NamespacesApi", "WebhooksApi"),
    *("AnalyticsClustersApi", "TaxonomiesApi", "CollectionTaxonomiesApi"),
)
_BUCKETS = "collections are filled by upserts, imports and index builds; there are no buckets to process"
_VERSIONS = "a taxonomy has one version: the client's own text says that they are not implemented, and to clone"
_FORMS = ("_with_http_info", "_without_preload_content")

NOT_CALLED = {
    "CollectionsApi.import_collection": "Arrow is imported by gRPC, documents are upserted",
    "CollectionsApi.infer_import_schema": "as import_collection",
    "CollectionsApi.validate_import_mapping": "as import_collection",
    "CollectionsApi.trigger_collection": "sends a source's objects or documents through an extractor; here are neither",
    "CollectionsApi.reconcile_collection_reconciliation": _BUCKETS,
    "CollectionDocumentsApi.download_document_media": "documents hold no media",
    "CollectionDocumentsApi.get_document_ancestors": "lineage of objects in buckets",
    "CollectionDocumentsApi.get_document_descendants": "lineage of objects in buckets",
    "CollectionDocumentsApi.get_document_diagnostics": "diagnoses extractors, of which there are none",
    "CollectionDocumentsApi.update_document_acl": "access is by namespaces, not by documents",
    "CollectionDocumentsApi.validate_document_schema": "payloads have no schema",
    "BYODocumentsApi.create_standalone_namespace": "the path is called by Mixpeek.namespaces.create",
    "BYODocumentsApi.promote_namespace": "a managed namespace is no other kind here",
    "BYODocumentsApi.validate_promotion_namespaces_id_promote": "as promote_namespace",
    "TaxonomiesApi.create_taxonomy_version_taxonomies": _VERSIONS,
    "TaxonomiesApi.list_taxonomy_versions_taxonomies": _VERSIONS,
    "NamespacesApi.ensure_namespace_indexes": "declared fields are indexed when they are declared",
}

NOT_CALLED_BY_HAND = {
    "collections.trigger": "as trigger_collection above",
    "documents.search": "retrieval by the client's retrievers, which are not here",
    "namespaces.clone": "no method of the generated client; collections are cloned",
    "namespaces.promote": "as promote_namespace above",
}


def methods() -> dict[str, str]:
    """Return the methods of the APIs, `Api.method`, with their names."""
    found = [(api, name) for api in APIS for name in vars(getattr(mixpeek, api))]
    return {f"{api}.{name}": name for api, name in found if name[0] != "_" and not name.endswith(_FORMS)}


def names_in_tests() -> set[str]:
    """Return every attribute that the tests name, without the suffixes of a method's forms."""
    trees = [
        ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES if path.name != Path(__file__).name
    ]
    names = {node.attr for tree in trees for node in tree if isinstance(node, ast.Attribute)}
    for form in _FORMS:
        names = {name.removesuffix(form) for name in names}
    return names


def test_every_method_is_called_or_has_a_reason() -> None:
    named = names_in_tests()
    called = {method for method, name in methods().items() if name in named}
    print(f"{len(called)} of {len(methods())} methods of the client are called")
    assert sorted(methods().keys() - called) == sorted(NOT_CALLED)


def methods_by_hand() -> set[str]:
    """Return the methods of the hand-written client's resources, `resource.method`."""
    mine = mixpeek.Mixpeek("sk_local", base_url="http://127.0.0.1:1/v1")
    kinds = {name: type(getattr(mine, name)) for name in ("namespaces", "collections", "documents", "tasks")}
    kinds["namespaces.documents"] = type(mine.namespaces.documents)
    return {f"{name}.{method}" for name, kind in kinds.items() for method in vars(kind) if method[0] != "_"}


def calls_by_hand() -> set[str]:
    """Return what tests call through clients of those resources."""
    trees = [ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]
    called = [node.func for tree in trees for node in tree if isinstance(node, ast.Call)]
    return {".".join(ast.unparse(one).split(".")[1:]) for one in called if isinstance(one, ast.Attribute)}


def test_every_method_of_the_hand_written_client_is_called_or_has_a_reason() -> None:
    known, called = methods_by_hand(), calls_by_hand()
    print(f"{len(known & called)} of {len(known)} methods of the hand-written client are called")
    assert sorted(known - called) == sorted(NOT_CALLED_BY_HAND)

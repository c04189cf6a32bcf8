"""What the contract's rules say against a request, in the documented words."""

from __future__ import annotations

from shoal.clusters.v1 import cluster_service_pb2, collection_document_service_pb2
from shoal.rag.v1 import project_service_pb2, retrieval_service_pb2

from shoald.transport.http_bindings import binding_for
from shoald.transport.violations import problems_in

UPSERT = "/shoal.clusters.v1.CollectionDocumentService/UpsertDocuments"


def upsert(numbers: int) -> collection_document_service_pb2.UpsertDocumentsRequest:
    """Return a request whose second document has no id, with vectors of this many numbers."""
    request = collection_document_service_pb2.UpsertDocumentsRequest(namespace_id="default")
    for number in range(2):
        document = request.documents.add()
        if number == 0:
            document.document_id = "a"
        values = document.vectors["embedding"].list_value.values
        for _ in range(numbers):
            values.add().number_value = 1.5
        document.payload.update({"title": "t"})
    return request


def test_the_place_of_a_field_comes_from_the_http_request() -> None:
    request = upsert(2)
    request.ClearField("namespace_id")
    binding = binding_for(UPSERT, ("POST", "/v1/namespaces/x/documents/upsert"))
    found = {problem.loc: problem.kind for problem in problems_in(request, binding)}
    assert found == {("path", "namespace_id"): "missing", ("body", "documents", 1, "document_id"): "missing"}
    assert {problem.loc[0] for problem in problems_in(request, None)} == {"body"}


def test_a_large_request_is_told_the_same_as_a_small_one() -> None:
    small, large = (problems_in(upsert(numbers), None) for numbers in (2, 20_000))
    assert [(p.loc, p.kind, p.message) for p in small] == [(p.loc, p.kind, p.message) for p in large]
    assert len(small) == 1


def test_a_large_request_without_fault_has_no_problem() -> None:
    request = upsert(20_000)
    request.documents[1].document_id = "b"
    assert problems_in(request, None) == []
    definition = cluster_service_pb2.CreateClusterRequest()
    definition.filters.update({"pad": "x" * 300_000})
    small = cluster_service_pb2.CreateClusterRequest()
    small.filters.update({"pad": "x"})
    assert [p.loc for p in problems_in(definition, None)] == [p.loc for p in problems_in(small, None)]


def test_the_input_of_a_missing_field_is_what_was_sent_around_it() -> None:
    (problem,) = problems_in(project_service_pb2.CreateProjectRequest(description="d"), None)
    assert (problem.kind, problem.message, problem.input) == ("missing", "Field required", {"description": "d"})


def test_a_tagged_union_s_fields_stand_below_its_tag() -> None:
    request = retrieval_service_pb2.RetrieveRequest(project_id="p", query="q")
    request.strategy.type, request.strategy.k = "vector", 0
    (problem,) = problems_in(request, None)
    assert problem.loc == ("body", "strategy", "vector", "k")
    assert (problem.kind, problem.message) == ("greater_than_equal", "Input should be greater than or equal to 1")


def test_a_word_outside_its_list_is_told_the_list() -> None:
    request = retrieval_service_pb2.RetrieveRequest(project_id="p", query="q")
    request.strategy.type, request.strategy.search_type = "vector", "zzz"
    (problem,) = problems_in(request, None)
    assert problem.message == "Input should be 'similarity', 'similarity_score_threshold' or 'mmr'"
    assert problem.input == "zzz"

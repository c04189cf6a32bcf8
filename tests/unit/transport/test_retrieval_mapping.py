from __future__ import annotations

import re

from buf.validate import validate_pb2
from shoal.rag.v1 import retrieval_pb2
from shoal.rag.v1 import retrieval_service_pb2 as pb

from shoald.application.retrieval_requests import RetrievalRequest, read_request
from shoald.domain.retrieval.strategies import EnsembleSearch, KeywordSearch, RegexSearch, VectorSearch
from shoald.domain.vocabulary import RetrievalStrategy
from shoald.transport.mapping.rag.retrieval import given_by


def test_the_contract_knows_the_strategies_that_there_are() -> None:
    rules = retrieval_pb2.RetrievalStrategy.DESCRIPTOR.GetOptions().Extensions[validate_pb2.message]
    (rule,) = [rule for rule in rules.cel if rule.id == "union_tag_invalid"]
    listed = re.search(r"in \[(.*)\]", rule.expression)
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed[1])) == set(RetrievalStrategy)
    assert all(f"'{word}'" in rule.message for word in RetrievalStrategy)


def read(request: pb.RetrieveRequest) -> RetrievalRequest:
    return read_request(given_by(request))


def test_what_a_request_leaves_out_has_its_documented_default() -> None:
    request = pb.RetrieveRequest(query="q", strategy=retrieval_pb2.RetrievalStrategy(type="vector"))
    expected = VectorSearch(k=10, search_type="similarity", score_threshold=None)
    assert read(request) == RetrievalRequest(
        query="q", strategy=expected, target="chunk_set", target_id=None, persist=False, limit=20, offset=0
    )


def test_zero_is_not_left_out() -> None:
    strategy = retrieval_pb2.RetrievalStrategy(type="vector", score_threshold=0.0)
    request = read(pb.RetrieveRequest(query="", strategy=strategy, limit=0, cursor="Mg=="))
    assert isinstance(request.strategy, VectorSearch)
    assert (request.strategy.score_threshold, request.limit, request.page_size, request.offset) == (0.0, 0, 20, 2)


def test_strategies_within_strategies_and_filters_arrive_as_they_were_sent() -> None:
    request = pb.RetrieveRequest(query="q")
    request.strategy.type = "ensemble"
    request.strategy.sources.add(type="bm25", k=3)
    request.strategy.sources.add(type="regex", pattern="a")
    request.strategy.weights.extend([2.0, 1.0])
    request.filter.update({"page": 3, "tags": ["a"]})
    asked = read(request)
    sources = (KeywordSearch(k=3), RegexSearch(pattern="a"))
    assert asked.strategy == EnsembleSearch(sources=sources, weights=(2.0, 1.0))
    assert asked.filter == {"page": 3, "tags": ["a"]}


def test_limits_are_moved_into_their_range() -> None:
    strategy = KeywordSearch()
    sizes = [RetrievalRequest(query="", strategy=strategy, limit=limit).page_size for limit in (-3, 1, 200, 201, 0)]
    assert sizes == [1, 1, 200, 200, 20]

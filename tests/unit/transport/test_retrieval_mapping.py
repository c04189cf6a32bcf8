from __future__ import annotations

import re

from buf.validate import validate_pb2
from shoal.rag.v1 import retrieval_pb2
from shoal.rag.v1 import retrieval_service_pb2 as pb

from shoald.application.retrieving import RetrievalRequest
from shoald.application.searching import Strategy
from shoald.domain.vocabulary import RetrievalStrategy
from shoald.transport.mapping.rag.retrieval import request_of


def test_the_contract_knows_the_strategies_that_there_are() -> None:
    rules = retrieval_pb2.RetrievalStrategy.DESCRIPTOR.GetOptions().Extensions[validate_pb2.message]
    (rule,) = [rule for rule in rules.cel if rule.id == "union_tag_invalid"]
    listed = re.search(r"in \[(.*)\]", rule.expression)
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed[1])) == set(RetrievalStrategy)
    assert all(f"'{word}'" in rule.message for word in RetrievalStrategy)


def test_what_a_request_leaves_out_has_its_documented_default() -> None:
    request = pb.RetrieveRequest(query="q", strategy=retrieval_pb2.RetrievalStrategy(type="vector"))
    expected = Strategy(type="vector", k=10, search_type="similarity", score_threshold=None)
    assert request_of(request) == RetrievalRequest(
        query="q", strategy=expected, target="chunk_set", target_id=None, persist=False, limit=20, offset=0
    )


def test_zero_is_not_left_out() -> None:
    strategy = retrieval_pb2.RetrievalStrategy(type="vector", score_threshold=0.0)
    request = request_of(pb.RetrieveRequest(query="", strategy=strategy, limit=0, cursor="Mg=="))
    assert (request.strategy.score_threshold, request.limit, request.page_size, request.offset) == (0.0, 0, 20, 2)


def test_limits_are_moved_into_their_range() -> None:
    strategy = Strategy(type="bm25")
    sizes = [RetrievalRequest(query="", strategy=strategy, limit=limit).page_size for limit in (-3, 1, 200, 201, 0)]
    assert sizes == [1, 1, 200, 200, 20]

"""What a run found of an index's chunks narrows retrievals over them, from the moment that it is written."""

from __future__ import annotations

import pytest

from shoald.application.enriching import EnrichmentRequest
from shoald.application.enrichment_fields import named_mappings
from shoald.application.listing import ListQuery
from shoald.domain.records.enrichment import Enrichment
from support.rag_path import RagPath

pytestmark = pytest.mark.integration

TEXTS = ("red apple pie", "green apple cider", "blue whale song", "grey whale watching")
WORDS = {"type": "bm25", "k": 100}


def enriched(path: RagPath) -> Enrichment:
    """Group the chunks of the index by attribute, and write the label back."""
    [collection] = path.use_cases.collections.list(path.caller, ListQuery(limit=10)).items
    asked = {
        "collection_ids": [collection.collection_id],
        "cluster_type": "attribute",
        "attribute_config": {"attributes": ["content"]},
    }
    cluster = path.use_cases.clusters.create(path.caller, asked).cluster.cluster_id
    run_job(path, path.use_cases.executions.start(path.caller, cluster, {}).job_id)
    request = EnrichmentRequest(mappings=named_mappings(["label"]))
    enrichment = path.use_cases.enrichments.start(path.caller, cluster, request)
    run_job(path, enrichment.job_id)
    return enrichment


def run_job(path: RagPath, job_id: str) -> None:
    path.use_cases.jobs.runner.run(job_id, dispatch=True)
    assert path.use_cases.jobs.get(path.caller, job_id).state == "COMPLETED"


def texts_found(path: RagPath, strategy: dict[str, object], **request: object) -> list[str]:
    return sorted(item.page_content for item in path.by("apple whale", strategy, limit=100, **request).items)


def test_a_filter_sees_what_was_written_and_what_was_taken_back(path: RagPath) -> None:
    chunks = path.chunk(path.texts(*TEXTS))
    build = path.build(path.index(), chunks)
    chosen = {"field": "label", "operator": "in", "value": [TEXTS[0], TEXTS[3]]}
    vectors = {"target": "index_build", "target_id": build.build_id, "filter": chosen}
    words = {"target": "chunk_set", "target_id": chunks.chunk_set_version_id, "filter": chosen}
    assert texts_found(path, WORDS, **words) == []
    enrichment = enriched(path)
    assert texts_found(path, WORDS, **words) == [TEXTS[3], TEXTS[0]]
    assert texts_found(path, {"type": "vector", "k": 100}, **vectors) == [TEXTS[3], TEXTS[0]]
    undoing = path.use_cases.enrichments.undo(path.caller, enrichment.cluster_id, enrichment.enrichment_id)
    run_job(path, undoing.job_id)
    assert texts_found(path, WORDS, **words) == []


def test_other_filters_do_not_change(path: RagPath) -> None:
    chunks = path.chunk(path.texts(*TEXTS))
    path.build(path.index(), chunks)
    enriched(path)
    asked = {"target": "chunk_set", "target_id": chunks.chunk_set_version_id, "filter": {"position": [1, 2]}}
    assert texts_found(path, WORDS, **asked) == [TEXTS[2], TEXTS[1]]

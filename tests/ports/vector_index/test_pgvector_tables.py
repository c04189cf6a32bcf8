"""Tables of vectors in PostgreSQL: their kinds, builds that end badly, and servers that lack the extension."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import psycopg
import pytest

from shoald.adapters.pgvector import sessions, vector_index
from shoald.adapters.pgvector.sessions import SCHEMA
from shoald.adapters.pgvector.vector_index import PgvectorIndex
from shoald.application.ports.vector_index import StoredVectors
from shoald.domain.failures import DataCorrupt, InvalidIndexConfig, MissingDependency, Unavailable
from shoald.domain.json_types import JsonObject
from support.vectors import texture

pytestmark = pytest.mark.integration
_N, _D = 5_000, 32


def _nothing(_part: float) -> None:
    return


@pytest.fixture
def index(postgres_url: str) -> Iterator[PgvectorIndex]:
    with closing(PgvectorIndex(postgres_url)) as tables:
        yield tables


@pytest.fixture(scope="module")
def rows() -> npt.NDArray[np.float32]:
    return texture(_N, _D, seed=4)


def _build(index: PgvectorIndex, rows: npt.NDArray[np.float32], **config: object) -> JsonObject:
    return index.build(str(uuid4()), ["x"] * len(rows), rows, attempt=1, config=config, progress=_nothing)


def _recall(
    index: PgvectorIndex, manifest: JsonObject, rows: npt.NDArray[np.float32], among: npt.NDArray[np.int64] | None
) -> float:
    positions = np.arange(len(rows)) if among is None else among
    found = 0
    queries = texture(30, _D, seed=9)
    for query in queries:
        truth = positions[np.argsort(-(rows[positions] @ query))[:10]]
        hits, _ = index.search(manifest, query, k=10, allowed=among)
        assert len(hits) == 10
        found += len({hit.position for hit in hits} & set(truth.tolist()))
    return found / (10 * len(queries))


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "auto"])
def test_the_nearest_are_found_with_and_without_a_filter(
    index: PgvectorIndex, monkeypatch: pytest.MonkeyPatch, rows: npt.NDArray[np.float32], kind: str
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 1_000)
    manifest = _build(index, rows, kind=kind)
    assert manifest["kind"] == ("ivf" if kind == "auto" else kind)
    assert manifest["measured_recall"] >= 0.99
    # lists begin at random rows, so that each build is another; and these questions are like no row
    good = 0.98 if manifest["kind"] == "flat" else 0.96
    assert _recall(index, manifest, rows, None) >= good
    chance = np.random.default_rng(1)
    for share in (0.02, 0.5):
        among = np.sort(chance.choice(_N, int(share * _N), replace=False))
        assert _recall(index, manifest, rows, among) >= good
    assert len(index.search(manifest, rows[0], k=2_000)[0]) == 2_000
    index.drop(manifest)


def test_numbers_that_are_given_are_kept_and_shown(index: PgvectorIndex, rows: npt.NDArray[np.float32]) -> None:
    lists = _build(index, rows[:1_000], ivf_lists=10, ivf_probes=2)
    assert (lists["kind"], lists["ivf_lists"], lists["ivf_probes"]) == ("ivf", 10, 2)
    graph = _build(index, rows[:1_000], hnsw_m=8, hnsw_ef_construction=8, hnsw_ef_search=12)
    made = (graph["kind"], graph["hnsw_m"], graph["hnsw_ef_construction"], graph["hnsw_ef_search"])
    assert made == ("hnsw", 8, 16, 12)


@pytest.mark.parametrize(
    ("config", "d", "field"),
    [
        ({"kind": "trees"}, 4, "kind"),
        ({"hnsw_ef_search": 1_001}, 4, "hnsw_ef_search"),
        ({"ivf_lists": 40_000}, 4, "ivf_lists"),
        ({"kind": "hnsw"}, 2_001, "kind"),
        ({}, 16_001, "embedding_model_name"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    index: PgvectorIndex, config: dict[str, object], d: int, field: str
) -> None:
    with pytest.raises(InvalidIndexConfig) as caught:
        _build(index, np.full((2, d), d**-0.5, np.float32), **config)
    assert caught.value.detail["field"] == field


def test_long_vectors_are_compared_one_by_one(index: PgvectorIndex) -> None:
    rows = np.random.default_rng(2).standard_normal((40, 3_000)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    manifest = _build(index, rows)
    hits, vectors = index.search(manifest, rows[3], k=2, with_vectors=True)
    assert (manifest["kind"], hits[0].position) == ("flat", 3)
    assert vectors is not None
    np.testing.assert_array_equal(vectors[0], rows[3])


def _tables(postgres_url: str, build_id: str) -> list[str]:
    statement = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND strpos(tablename, %s) > 0 ORDER BY 1"
    with psycopg.connect(postgres_url) as connection:
        return [name for (name,) in connection.execute(statement, (SCHEMA, build_id))]


def test_a_build_that_fails_or_is_tried_again_leaves_no_table(index: PgvectorIndex, postgres_url: str) -> None:
    def stop(_part: float) -> None:
        raise InterruptedError

    build_id, rows = str(uuid4()), texture(100, 8)
    with pytest.raises(InterruptedError):
        index.build(build_id, ["x"] * 100, rows, attempt=1, config={}, progress=stop)
    assert _tables(postgres_url, build_id) == []
    for attempt in (1, 2):
        index.build(build_id, ["x"] * 100, rows, attempt=attempt, config={}, progress=_nothing)
    assert _tables(postgres_url, build_id) == [f"shoal_{build_id}_a2"]
    assert StoredVectors(build_id, {"table": f"{SCHEMA}.shoal_{build_id}_a2"}) in list(index.stored())


def test_a_dropped_table_is_named(index: PgvectorIndex) -> None:
    rows = texture(10, 8)
    manifest = _build(index, rows)
    index.drop(manifest)
    with pytest.raises(DataCorrupt, match="build the index again"):
        index.search(manifest, rows[0], k=1)


def test_an_extension_that_is_too_old_is_named(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LEAST_VERSION", (99, 1))
    with closing(PgvectorIndex(postgres_url)) as index, pytest.raises(MissingDependency, match=r"99\.1 is needed"):
        _build(index, texture(10, 8))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with closing(PgvectorIndex("postgresql://nobody@127.0.0.1:1/none")) as index, pytest.raises(Unavailable):
        _build(index, texture(10, 8))


def test_a_role_that_may_not_make_the_extension_is_told_what_is_missing(
    postgres_url: str, postgres_database: str
) -> None:
    role = f"plain_{uuid4().hex[:8]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'made-up'".encode())
    database = psycopg.conninfo.conninfo_to_dict(postgres_database)
    plain = psycopg.conninfo.make_conninfo("", **{**database, "user": role, "password": "made-up"})
    with closing(PgvectorIndex(plain)) as index, pytest.raises(MissingDependency) as caught:
        _build(index, texture(10, 8))
    assert caught.value.detail == {"extension": "vector", "setting": "SHOAL_PGVECTOR_URL"}

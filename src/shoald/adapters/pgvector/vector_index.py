"""Vector search by PostgreSQL: one table per build, made in one transaction, scanned or searched through an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql

from shoald.adapters.pgvector.sessions import SCHEMA, Session, Sessions
from shoald.adapters.pgvector.wire_format import COPY_END, COPY_START, copy_pieces, to_rows, vector_text
from shoald.application.ports.vector_index import StoredVectors, VectorHit
from shoald.domain.failures import InvalidIndexConfig
from shoald.domain.index_config import IndexShape, build_of, read_config, storage_name
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.nearest import Candidates, nearest
from shoald.domain.retrieval.oversampling import oversampled
from shoald.domain.retrieval.sampled_recall import SampledQueries, exact_neighbours, sample_queries
from shoald.domain.vocabulary import IndexKind

EXACT_UP_TO = 50_000
_MOST_DIMENSIONS = 16_000
_MOST_INDEXED = 2_000  # the extension's limits
_MOST_LOOKED_AT = 1_000
_LARGEST = {"hnsw_ef_construction": 1_000, "hnsw_ef_search": _MOST_LOOKED_AT, "ivf_lists": 32_768, "ivf_probes": 32_768}
_MOST_LISTS = 1_000  # finding more takes memory by their square
_SPREAD = 4
_LINKS, _CONSTRUCTION = 16, 100
_FIRST_PROBES = 8
_FIRST_LOOK = 80  # at 48 all sampled questions are answered, and one in fifty of the neighbours of others is missed
_SAMPLED = 100
_MEBIBYTE = 1 << 20
_COPIED, _INDEXED = 0.4, 0.9

_OF_ALL = "SELECT position, embedding FROM {table} ORDER BY embedding <#> %s::vector LIMIT %s"
# picked first, and then ordered: an index would look at the nearest of all, of which none need be allowed
_OF_SOME = """
WITH allowed AS MATERIALIZED (SELECT position, embedding FROM {table} WHERE position = ANY(%s::int[]))
SELECT position, embedding FROM allowed ORDER BY embedding <#> %s::vector LIMIT %s
"""


class PgvectorIndex:
    """Builds and searches tables in the schema `shoal_vectors`; all in one transaction, so that a build which dies
    leaves none.

    Left to choose, a search compares all rows up to 50,000 and looks into lists beyond; vectors of more than 2,000
    components are always compared one by one.
    """

    def __init__(self, url: str) -> None:
        self._sessions = Sessions(url)

    def build(
        self,
        build_id: str,
        ids: Sequence[str],
        vectors: npt.NDArray[np.float32],
        *,
        attempt: int,
        config: JsonObject,
        progress: Callable[[float], None],
    ) -> JsonObject:
        """Fill a new table and index it; what earlier attempts at this build left goes first."""
        if len(ids) != len(vectors):
            raise ValueError("as many ids as vectors")
        making = _Making(storage_name("", build_id, attempt), vectors, _shape(config, vectors), progress)
        with self._sessions.building() as session:
            for earlier in range(1, attempt + 1):
                _drop(session, storage_name("", build_id, earlier))
            making.fill(session)
            numbers = making.arrange(session)
        progress(1.0)
        return {
            "provider": "pgvector",
            "table": f"{SCHEMA}.{making.table}",
            "vectors": len(vectors),
            "dimension": int(vectors.shape[1]),
            "metric": "cosine",
            "kind": making.shape.kind,
            **numbers,
        }

    def search(
        self,
        manifest: JsonObject,
        query: npt.NDArray[np.float32],
        *,
        k: int,
        with_vectors: bool = False,
        allowed: npt.NDArray[np.int64] | None = None,
    ) -> tuple[list[VectorHit], npt.NDArray[np.float32] | None]:
        """Search in one short transaction; vectors come too, so that ties can be ordered."""
        if query.shape != (manifest["dimension"],):
            raise InvalidIndexConfig(
                f"The query has {query.size} dimensions, the index {manifest['dimension']}: was the embedder changed?"
            )
        n = int(manifest["vectors"]) if allowed is None else len(allowed)
        if k < 1 or not n:
            return [], np.empty((0, query.size), np.float32) if with_vectors else None
        with self._sessions.searching() as session:
            searching = _Searching(session, manifest, query)
            positions, scores, rows = nearest(query, lambda m: searching.fetch(m, allowed), k=k, n=n)
        hits = [VectorHit(int(position), float(score)) for position, score in zip(positions, scores, strict=True)]
        return hits, rows if with_vectors else None

    def drop(self, manifest: JsonObject) -> None:
        """Remove the table."""
        with self._sessions.building() as session:
            _drop(session, manifest["table"].rpartition(".")[2])

    def stored(self) -> Iterator[StoredVectors]:
        """Name every table that is called as builds call theirs."""
        statement = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        with self._sessions.searching() as session:
            names = [name for (name,) in session.execute(statement, (SCHEMA,))]
        for name in names:
            if build_id := build_of(name):
                yield StoredVectors(build_id, {"table": f"{SCHEMA}.{name}"})

    def close(self) -> None:
        """Close the connections."""
        self._sessions.close()


class _Making:
    """One table in the making."""

    def __init__(
        self, table: str, vectors: npt.NDArray[np.float32], shape: IndexShape, progress: Callable[[float], None]
    ) -> None:
        self.table = table
        self.shape = shape
        self._vectors = vectors
        self._progress = progress

    def fill(self, session: Session) -> None:
        """Make the table and copy the rows."""
        n, d = self._vectors.shape
        session.execute(_with("CREATE TABLE {table} (position int NOT NULL, embedding vector({d}))", self.table, d=d))
        if d <= _MOST_INDEXED:  # in the row, where scans find it
            session.execute(_with("ALTER TABLE {table} ALTER embedding SET STORAGE PLAIN", self.table))
        command = _with("COPY {table} FROM STDIN (FORMAT binary, FREEZE)", self.table)
        with session.cursor() as cursor, cursor.copy(command) as copy:
            copy.write(COPY_START)
            for done, piece in copy_pieces(self._vectors):
                copy.write(piece)
                self._progress(_COPIED * done / n)
            copy.write(COPY_END)
        session.execute(_with("ALTER TABLE {table} ADD PRIMARY KEY (position)", self.table))

    def arrange(self, session: Session) -> dict[str, Any]:
        """Make the index of the wanted kind, and return what the manifest says of it."""
        numbers: dict[str, Any] = {"effort": 0, "measured_recall": 1.0}
        if self.shape.kind == IndexKind.IVF:
            numbers = self._lists(session)
        elif self.shape.kind == IndexKind.HNSW:
            numbers = self._graph(session)
        session.execute(_with("ANALYZE {table}", self.table))
        return numbers

    def _lists(self, session: Session) -> dict[str, Any]:
        n, d = self._vectors.shape
        lists = self.shape.ivf_lists or min(_MOST_LISTS, max(1, round(n**0.5)))
        # k-means holds fifty rows a list, and for each of them a bound for every list
        self._allow_memory(session, 50 * lists * (d + lists) * 4)
        session.execute(
            _with(
                "CREATE INDEX ON {table} USING ivfflat (embedding vector_ip_ops) WITH (lists = {lists})",
                self.table,
                lists=lists,
            )
        )
        given = self.shape.ivf_probes
        probes, recall = self._least_effort(session, given or _FIRST_PROBES, given or lists, ivf_lists=lists)
        return {"effort": probes, "measured_recall": round(recall, 4), "ivf_lists": lists, "ivf_probes": probes}

    def _graph(self, session: Session) -> dict[str, Any]:
        n, d = self._vectors.shape
        links, construction = self.shape.hnsw_m or _LINKS, self.shape.hnsw_ef_construction or _CONSTRUCTION
        construction = max(construction, 2 * links)  # the extension refuses less
        self._allow_memory(session, n * (4 * d + 16 * links + 200))
        session.execute(
            _with(
                "CREATE INDEX ON {table} USING hnsw (embedding vector_ip_ops) WITH (m = {m}, ef_construction = {ef})",
                self.table,
                m=links,
                ef=construction,
            )
        )
        given = self.shape.hnsw_ef_search
        ef, recall = self._least_effort(session, given or _FIRST_LOOK, given or _MOST_LOOKED_AT)
        made = {"hnsw_m": links, "hnsw_ef_construction": construction, "hnsw_ef_search": ef}
        return {"effort": ef, "measured_recall": round(recall, 4), **made}

    def _least_effort(self, session: Session, first: int, most: int, **numbers: int) -> tuple[int, float]:
        self._progress(_INDEXED)
        sampled = sample_queries(self._vectors, most=_SAMPLED)
        manifest = {"table": self.table, "kind": self.shape.kind, "vectors": len(self._vectors), **numbers}

        def found(effort: int) -> npt.NDArray[np.int64]:
            searching = _Searching(session, {**manifest, "effort": effort}, sampled.queries[0])
            return _found(searching, sampled)

        return sampled.least_effort(found, exact_neighbours(self._vectors, sampled), first=min(first, most), most=most)

    @staticmethod
    def _allow_memory(session: Session, wanted: int) -> None:
        mebibytes = max(64, 2 * wanted // _MEBIBYTE)
        session.execute(f"SET LOCAL maintenance_work_mem = '{mebibytes}MB'")
        # its helpers would share memory that a container may not have
        session.execute("SET LOCAL max_parallel_maintenance_workers = 0")


class _Searching:
    """Searches of one table in one transaction."""

    def __init__(self, session: Session, manifest: JsonObject, query: npt.NDArray[np.float32]) -> None:
        self._session = session
        self._manifest = manifest
        self._query = query
        self._table = manifest["table"].rpartition(".")[2]
        self._farther = 1.0

    def fetch(self, m: int, allowed: npt.NDArray[np.int64] | None) -> Candidates:
        """Return the m nearest, of all or of the allowed positions."""
        if allowed is None:
            return self._candidates(_OF_ALL, m)
        n = int(self._manifest["vectors"])
        # the nearest of some lie farther away than those of all
        self._farther = n / len(allowed)
        found = oversampled(lambda asked: self._candidates(_OF_ALL, asked), allowed, m, n=n)
        if found is not None:
            return found
        listed = f"{{{','.join(map(str, allowed.tolist()))}}}"
        return self._candidates(_OF_SOME, m, listed)

    def nearest_positions(self, query: npt.NDArray[np.float32], m: int) -> list[int]:
        """Return the positions of the m nearest of all."""
        self._look_as_far_as(m)
        rows = self._session.execute(_with(_OF_ALL, self._table), (vector_text(query), m))
        return [position for position, _ in rows]

    def _candidates(self, statement: str, m: int, *before: str) -> Candidates:
        self._look_as_far_as(m)
        with self._session.cursor(binary=True) as cursor:
            found = cursor.execute(_with(statement, self._table), (*before, vector_text(self._query), m)).fetchall()
        positions = np.fromiter((row[0] for row in found), np.int64, len(found))
        return positions, to_rows([row[1] for row in found], self._query.size)

    def _look_as_far_as(self, m: int) -> None:
        """Say how far the index is to look for the m nearest; it goes on by itself while it has found fewer."""
        kind, effort = self._manifest["kind"], round(self._farther * self._manifest["effort"])
        if kind == IndexKind.IVF:
            wanted = max(effort, -(-_SPREAD * m * self._lists // max(1, self._manifest["vectors"])))
            self._set("ivfflat.probes", str(min(wanted, self._lists)))
            self._set("ivfflat.iterative_scan", "relaxed_order")
        elif kind == IndexKind.HNSW:
            self._set("hnsw.ef_search", str(min(max(effort, 2 * m), _MOST_LOOKED_AT)))
            self._set("hnsw.iterative_scan", "strict_order")
            self._set("hnsw.max_scan_tuples", "2147483647")
        if kind != IndexKind.FLAT:
            self._set("enable_seqscan", "off")  # it would be right, and slow

    @property
    def _lists(self) -> int:
        return int(self._manifest.get("ivf_lists") or _MOST_LISTS)

    def _set(self, name: str, value: str) -> None:
        self._session.execute("SELECT set_config(%s, %s, true)", (name, value))


def _found(searching: _Searching, sampled: SampledQueries) -> npt.NDArray[np.int64]:
    found = np.full((len(sampled.queries), sampled.asked), -1)
    for number, query in enumerate(sampled.queries):
        positions = searching.nearest_positions(query, sampled.asked)
        found[number, : len(positions)] = positions
    return found


def _shape(config: JsonObject, vectors: npt.NDArray[np.float32]) -> IndexShape:
    shape = read_config(config).shape
    n, d = vectors.shape
    if d > _MOST_DIMENSIONS:
        message = f"pgvector stores vectors of up to {_MOST_DIMENSIONS} components, and these have {d}."
        raise InvalidIndexConfig(message, detail={"field": "embedding_model_name"})
    if shape.kind in {IndexKind.HNSW, IndexKind.IVF} and d > _MOST_INDEXED:
        message = f"config.kind: pgvector indexes vectors of up to {_MOST_INDEXED} components, and these have {d}."
        raise InvalidIndexConfig(message, detail={"field": "kind", "known": [IndexKind.FLAT]})
    for name, most in _LARGEST.items():
        if (getattr(shape, name) or 0) > most:
            message = f"config.{name} is at most {most} in pgvector."
            raise InvalidIndexConfig(message, detail={"field": name, "most": most})
    if shape.kind != IndexKind.AUTO:
        return shape
    kind = IndexKind.FLAT if n <= EXACT_UP_TO or d > _MOST_INDEXED else IndexKind.IVF
    return IndexShape(kind=kind)


def _drop(session: Session, table: str) -> None:
    session.execute(_with("DROP TABLE IF EXISTS {table}", table))


def _with(statement: str, table: str, **numbers: int) -> sql.Composed:
    names = {name: sql.Literal(number) for name, number in numbers.items()}
    template: Any = statement
    return sql.SQL(template).format(table=sql.Identifier(SCHEMA, table), **names)

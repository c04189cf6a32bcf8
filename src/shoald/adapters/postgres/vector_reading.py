"""All vectors of a collection go in from PostgreSQL, arrays come out: Arrow buffers, no Python step for a row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg.sql

from shoald.adapters.postgres.identity import SYSTEM, Identity, identity_of
from shoald.application.access import acting
from shoald.domain.failures import DataCorrupt, Unavailable

_BATCH_BYTES = 1 << 20
_OUTAGE = "The database is not available; try again."
# how many there can be is known without counting: a collection has at most one vector of a name for a document
_MOST = "SELECT revision, document_count FROM collections WHERE collection_id = {collection}"
# one table, no join, no order: whoever reads brings the rows into order; vectors have no policy, so that it is asked
# once whether their collection is seen, by the policy of its own table
_READ = """
SELECT document_id, vector FROM document_vectors WHERE collection_id = {collection} AND vector_name = {name}
    AND EXISTS (SELECT FROM collections WHERE collection_id = {collection})
"""

_BYTES = """
SELECT coalesce(sum(octet_length(vector)), 0)::bigint AS bytes, count(*) AS rows FROM document_vectors
WHERE collection_id = {collection} AND vector_name = {name}
    AND EXISTS (SELECT FROM collections WHERE collection_id = {collection})
"""
_BECOME = """
SELECT set_config('role', {role}, true), set_config('shoal.namespace', {namespace}, true),
    set_config('shoal.reach', {reach}, true), set_config('shoal.projects', {projects}, true)
"""
_TERM_BYTES = 8
"""A term of a sparse vector: its index and its value."""

AllocateRows = Callable[[int], npt.NDArray[np.float32]]
AllocateTerms = Callable[[int], npt.NDArray[np.int32]]
Decode = Callable[[Any, int], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class ReadTerms:
    """Sparse vectors as they were read: ids in no order, the number of terms of each, and the revision."""

    ids: npt.NDArray[np.bytes_]
    lengths: npt.NDArray[np.int64]
    revision: int


class VectorReader:
    """Reads one named vector of one collection, as it was at one moment, on behalf of whom the thread works for."""

    def __init__(self, database_url: str, *, nobody: Identity = SYSTEM) -> None:
        """`nobody` is who a thread is that works for no caller, as in `PostgresUnitsOfWork`."""
        self._database_url = database_url
        self._nobody = nobody
        self._known: Any = None
        self._knowing = threading.Lock()

    def read(
        self,
        collection_id: str,
        vector_name: str,
        allocate: AllocateRows,
        step: Callable[[float], None],
        *,
        is_multi: bool = False,
    ) -> tuple[npt.NDArray[np.bytes_], int]:
        """Fill the first rows of `allocate(most)`, a (most, d) float32 array; return their ids, and the revision.

        Multi-vectors are pooled as they are read. Ids are UTF-8 bytes in no order; there are fewer than `most` where
        documents lack the vector. All of it is read in one transaction, which sees one moment.
        """
        decode = _pooled if is_multi else _floats
        with self._moment() as connection:
            with _answer(connection, _statement(_MOST, collection_id, vector_name)) as found:
                collection = next(iter(found.read_all().to_pylist()), {"revision": 0, "document_count": 0})
            with _answer(connection, _statement(_READ, collection_id, vector_name)) as vectors:
                out = allocate(collection["document_count"])
                return _fill(vectors, out, step, decode), collection["revision"]

    def read_terms(
        self, collection_id: str, vector_name: str, allocate: AllocateTerms, step: Callable[[float], None]
    ) -> ReadTerms:
        """Fill `allocate(terms)`, a (terms, 2) int32 array, with the index of each term and the bits of its value.

        Vectors lie one after another in the order of the ids returned; all is read in one transaction.
        """
        with self._moment() as connection:
            with _answer(connection, _statement(_MOST, collection_id, vector_name)) as found:
                revision = next((one["revision"] for one in found.read_all().to_pylist()), 0)
            with _answer(connection, _statement(_BYTES, collection_id, vector_name)) as found:
                (size,) = found.read_all().to_pylist()
            with _answer(connection, _statement(_READ, collection_id, vector_name)) as vectors:
                ids, lengths = _fill_terms(vectors, allocate(int(size["bytes"]) // _TERM_BYTES), step)
                return ReadTerms(ids, lengths, revision)

    @contextmanager
    def _moment(self) -> Iterator[Any]:
        """A connection in a transaction that sees one moment."""
        import adbc_driver_manager as adbc

        try:
            with adbc.AdbcConnection(self._database()) as connection:
                connection.set_autocommit(False)
                with _answer(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"):
                    pass
                self._become(connection)
                yield connection
        except (adbc.OperationalError, adbc.InterfaceError) as error:
            raise Unavailable(_OUTAGE) from error

    def _become(self, connection: Any) -> None:
        """Let the transaction see what its caller sees: its connection is the login role's, whom no policy binds."""
        caller = acting()
        identity = self._nobody if caller is None else identity_of(caller)
        if identity != SYSTEM:
            words = {name: psycopg.sql.Literal(word) for name, word in asdict(identity).items()}
            with _answer(connection, psycopg.sql.SQL(_BECOME).format(**words).as_string(None)) as answer:
                answer.read_all()

    def _database(self) -> Any:
        """What the driver knows of the server: 40 ms to ask for, so it stays; no connection does."""
        import adbc_driver_postgresql

        with self._knowing:
            if self._known is None:
                self._known = adbc_driver_postgresql.connect(self._database_url)
            return self._known


@contextmanager
def _answer(connection: Any, statement: str) -> Iterator[Any]:
    """A reader of the record batches that a statement gives."""
    import adbc_driver_manager
    import pyarrow as pa

    with adbc_driver_manager.AdbcStatement(connection) as running:
        running.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        running.set_sql_query(statement)
        stream, _ = running.execute_query()
        with pa.RecordBatchReader.from_stream(stream) as batches:
            yield batches


def _fill(
    batches: Any, out: npt.NDArray[np.float32], step: Callable[[float], None], decode: Decode
) -> npt.NDArray[np.bytes_]:
    found: list[npt.NDArray[np.bytes_]] = [np.empty(0, dtype="S1")]
    done = 0
    for batch in _unbroken(batches):
        rows = len(batch)
        if rows == 0:
            continue
        out[done : done + rows] = decode(batch.column("vector"), out.shape[1])
        found.append(_texts(batch.column("document_id")))
        done += rows
        step(done / len(out))
    return np.concatenate(found)


def _fill_terms(
    batches: Any, out: npt.NDArray[np.int32], step: Callable[[float], None]
) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int64]]:
    found: list[npt.NDArray[np.bytes_]] = [np.empty(0, dtype="S1")]
    lengths: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    done = 0
    for batch in _unbroken(batches):
        if len(batch) == 0:
            continue
        body, offsets = _bytes(batch.column("vector"))
        if len(body) % _TERM_BYTES or np.any(np.diff(offsets) % _TERM_BYTES):
            raise DataCorrupt("A stored sparse vector is cut off.")
        terms = body.view("<i4").reshape(-1, 2)
        out[done : done + len(terms)] = terms
        found.append(_texts(batch.column("document_id")))
        lengths.append(np.diff(offsets).astype(np.int64) // _TERM_BYTES)
        done += len(terms)
        step(done / len(out))
    return np.concatenate(found), np.concatenate(lengths)


def _unbroken(batches: Any) -> Iterator[Any]:
    """The batches; pyarrow tells of a connection that broke while it was read as an OSError without a number."""
    try:
        yield from batches
    except OSError as error:
        raise Unavailable(_OUTAGE) from error


def _statement(template: str, collection_id: str, vector_name: str) -> str:
    """Return a statement with its values written in: the driver's COPY takes no parameters."""
    return psycopg.sql.SQL(template).format(collection=collection_id, name=vector_name).as_string(None)


def _offsets(column: Any) -> npt.NDArray[np.int32]:
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]


def _floats(column: Any, dimension: int) -> npt.NDArray[np.float32]:
    """Return a column of byte strings as (rows, dimension), a view of its buffer."""
    body, offsets = _bytes(column)
    if np.any(np.diff(offsets) != 4 * dimension):
        raise DataCorrupt("A stored vector has another dimension than its collection.")
    return body.view("<f4").reshape(-1, dimension)


def _pooled(column: Any, dimension: int) -> npt.NDArray[np.float32]:
    """Return a column of multi-vectors as (rows, dimension)."""
    from shoald.domain.clustering.pooling import pooled

    body, offsets = _bytes(column)
    lengths = np.diff(offsets)
    if np.any(lengths == 0) or np.any(lengths % (4 * dimension)):
        raise DataCorrupt("A stored multi-vector has another dimension than its collection.")
    bounds = (offsets - offsets[0]).astype(np.int64) // (4 * dimension)
    return pooled(body.view("<f4").reshape(-1, dimension), bounds)


def _bytes(column: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return a column of byte strings as the bytes of all, and where in their buffer each begins."""
    offsets = _offsets(column)
    return np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]], offsets


def _texts(column: Any) -> npt.NDArray[np.bytes_]:
    """Return a column of texts as fixed-width bytes: by view where all are of one length."""
    offsets = _offsets(column)
    lengths = np.diff(offsets)
    widest = int(lengths.max())
    body = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    if int(lengths.min()) == widest:
        return body.view(f"S{widest}")
    padded = np.zeros((len(lengths), widest), np.uint8)
    padded[np.arange(widest) < lengths[:, None]] = body
    return padded.view(f"S{widest}")[:, 0]

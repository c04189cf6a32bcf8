"""All vectors of a collection go in from PostgreSQL, one array comes out: Arrow buffers, no Python step for a row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import psycopg.sql

from shoald.domain.failures import DataCorrupt, Unavailable

_BATCH_BYTES = 4 << 20

AllocateRows = Callable[[int], npt.NDArray[np.float32]]


class VectorReader:
    """Reads one named vector of one collection, as it was at one moment."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def read(
        self, collection_id: str, vector_name: str, allocate: AllocateRows, step: Callable[[float], None]
    ) -> tuple[npt.NDArray[np.bytes_], int]:
        """Fill the array that `allocate(n)` gives, (n, d) float32; return the ids in the same order, and the revision.

        Ids are UTF-8 bytes in no order. Both connections see one snapshot of the database.
        """
        with self._exported(collection_id, vector_name) as (snapshot, rows, revision):
            out = allocate(rows)
            if rows == 0:
                return np.empty(0, dtype="S1"), revision
            ids = self._fill(_statement(collection_id, vector_name), snapshot, out, step)
        return ids, revision

    @contextlib.contextmanager
    def _exported(self, collection_id: str, vector_name: str) -> Iterator[tuple[str, int, int]]:
        """Hold a transaction whose view of the database another connection can take over."""
        try:
            with psycopg.connect(self._database_url, application_name="shoal snapshots") as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                counted = connection.execute(
                    "SELECT pg_export_snapshot(), (SELECT revision FROM collections WHERE collection_id = %s),"
                    " (SELECT count(*) FROM document_vectors WHERE collection_id = %s AND vector_name = %s)",
                    (collection_id, collection_id, vector_name),
                ).fetchone()
                assert counted is not None
                yield counted[0], counted[2], counted[1] or 0
        except psycopg.OperationalError as error:
            raise Unavailable("The database is not available; try again.") from error

    def _fill(
        self, statement: str, snapshot: str, out: npt.NDArray[np.float32], step: Callable[[float], None]
    ) -> npt.NDArray[np.bytes_]:
        import adbc_driver_postgresql.dbapi as adbc

        found: list[npt.NDArray[np.bytes_]] = []
        done = 0
        try:
            with adbc.connect(self._database_url) as connection, connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
                cursor.execute(statement)
                for batch in cursor.fetch_record_batch():
                    rows = len(batch)
                    out[done : done + rows] = _floats(batch.column("vector"), out.shape[1])
                    found.append(_texts(batch.column("document_id")))
                    done += rows
                    step(done / len(out))
        except (adbc.OperationalError, adbc.InterfaceError) as error:
            raise Unavailable("The database is not available; try again.") from error
        return np.concatenate(found)


def _statement(collection_id: str, vector_name: str) -> str:
    query = psycopg.sql.SQL(
        "SELECT document_id, vector FROM document_vectors WHERE collection_id = {} AND vector_name = {}"
    )
    return query.format(collection_id, vector_name).as_string(None)


def _offsets(column: Any) -> npt.NDArray[np.int32]:
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]


def _floats(column: Any, dimension: int) -> npt.NDArray[np.float32]:
    """Return a column of byte strings as (rows, dimension), a view of its buffer."""
    offsets = _offsets(column)
    if np.any(np.diff(offsets) != 4 * dimension):
        raise DataCorrupt("A stored vector has another dimension than its collection.")
    body = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return body.view("<f4").reshape(-1, dimension)


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

"""All vectors of a collection go in from PostgreSQL, one array comes out: Arrow buffers, no Python step for a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg.sql

from shoald.domain.failures import DataCorrupt, Unavailable

_BATCH_BYTES = 1 << 20
# how many there can be is known without counting: a collection has at most one vector of a name for a document
_MOST = "SELECT revision, document_count FROM collections WHERE collection_id = {collection}"
# one table, no join, no order: whoever reads brings the rows into order
_READ = "SELECT document_id, vector FROM document_vectors WHERE collection_id = {collection} AND vector_name = {name}"

AllocateRows = Callable[[int], npt.NDArray[np.float32]]


class VectorReader:
    """Reads one named vector of one collection, as it was at one moment."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def read(
        self, collection_id: str, vector_name: str, allocate: AllocateRows, step: Callable[[float], None]
    ) -> tuple[npt.NDArray[np.bytes_], int]:
        """Fill the first rows of `allocate(most)`, a (most, d) float32 array; return their ids, and the revision.

        Ids are UTF-8 bytes in no order; there are fewer than `most` where documents lack the vector. All of it is read
        in one transaction, which sees one moment.
        """
        import adbc_driver_postgresql.dbapi as adbc

        try:
            with adbc.connect(self._database_url) as connection, connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute(_statement(_MOST, collection_id, vector_name))
                revision, most = cursor.fetchone() or (0, 0)
                ids = self._fill(cursor, _statement(_READ, collection_id, vector_name), allocate(most), step)
        except (adbc.OperationalError, adbc.InterfaceError) as error:
            raise Unavailable("The database is not available; try again.") from error
        return ids, revision

    def _fill(
        self, cursor: Any, statement: str, out: npt.NDArray[np.float32], step: Callable[[float], None]
    ) -> npt.NDArray[np.bytes_]:
        found: list[npt.NDArray[np.bytes_]] = [np.empty(0, dtype="S1")]
        done = 0
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        cursor.execute(statement)
        for batch in cursor.fetch_record_batch():
            rows = len(batch)
            if rows == 0:
                continue
            out[done : done + rows] = _floats(batch.column("vector"), out.shape[1])
            found.append(_texts(batch.column("document_id")))
            done += rows
            step(done / len(out))
        return np.concatenate(found)


def _statement(template: str, collection_id: str, vector_name: str) -> str:
    """Return a statement with its values written in: the driver's COPY takes no parameters."""
    return psycopg.sql.SQL(template).format(collection=collection_id, name=vector_name).as_string(None)


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

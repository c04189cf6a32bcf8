"""All vectors of a collection go in from PostgreSQL, one array comes out: Arrow buffers, no Python step for a row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg.sql

from shoald.domain.failures import DataCorrupt, Unavailable

_BATCH_BYTES = 1 << 20
_OUTAGE = "The database is not available; try again."
# how many there can be is known without counting: a collection has at most one vector of a name for a document
_MOST = "SELECT revision, document_count FROM collections WHERE collection_id = {collection}"
# one table, no join, no order: whoever reads brings the rows into order
_READ = "SELECT document_id, vector FROM document_vectors WHERE collection_id = {collection} AND vector_name = {name}"

AllocateRows = Callable[[int], npt.NDArray[np.float32]]


class VectorReader:
    """Reads one named vector of one collection, as it was at one moment."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._known: Any = None
        self._knowing = threading.Lock()

    def read(
        self, collection_id: str, vector_name: str, allocate: AllocateRows, step: Callable[[float], None]
    ) -> tuple[npt.NDArray[np.bytes_], int]:
        """Fill the first rows of `allocate(most)`, a (most, d) float32 array; return their ids, and the revision.

        Ids are UTF-8 bytes in no order; there are fewer than `most` where documents lack the vector. All of it is read
        in one transaction, which sees one moment.
        """
        import adbc_driver_manager as adbc

        try:
            with adbc.AdbcConnection(self._database()) as connection:
                connection.set_autocommit(False)
                with _answer(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"):
                    pass
                with _answer(connection, _statement(_MOST, collection_id, vector_name)) as found:
                    collection = next(iter(found.read_all().to_pylist()), {"revision": 0, "document_count": 0})
                with _answer(connection, _statement(_READ, collection_id, vector_name)) as vectors:
                    return _fill(vectors, allocate(collection["document_count"]), step), collection["revision"]
        except (adbc.OperationalError, adbc.InterfaceError) as error:
            raise Unavailable(_OUTAGE) from error

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


def _fill(batches: Any, out: npt.NDArray[np.float32], step: Callable[[float], None]) -> npt.NDArray[np.bytes_]:
    found: list[npt.NDArray[np.bytes_]] = [np.empty(0, dtype="S1")]
    done = 0
    for batch in _unbroken(batches):
        rows = len(batch)
        if rows == 0:
            continue
        out[done : done + rows] = _floats(batch.column("vector"), out.shape[1])
        found.append(_texts(batch.column("document_id")))
        done += rows
        step(done / len(out))
    return np.concatenate(found)


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

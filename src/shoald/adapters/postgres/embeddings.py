"""Vectors of texts that were embedded before: whole batches in and out, as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from shoald.adapters.postgres.set_items import driver_connection

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_KNOWN = """
SELECT asked.place - 1, stored.vector
FROM unnest(%s::bytea[]) WITH ORDINALITY AS asked (content_hash, place)
JOIN embeddings AS stored ON stored.embedder = %s AND stored.content_hash = asked.content_hash
WHERE octet_length(stored.vector) = %s
"""
# Rows in the order of their key, so that two writers of the same texts wait for each other and never in a circle.
_ADD = """
INSERT INTO embeddings (embedder, content_hash, vector)
SELECT %s, given.content_hash, given.vector FROM unnest(%s::bytea[], %s::bytea[]) AS given (content_hash, vector)
ORDER BY given.content_hash
ON CONFLICT DO NOTHING
"""

# A row is as long as its vector, so that writing it anew for every use would cost as much as storing it. Whoever is
# about to do the same is left alone.
_USED = """
UPDATE embeddings SET used_on = CURRENT_DATE WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM embeddings
    WHERE embedder = %s AND content_hash = ANY (%s::bytea[]) AND used_on < CURRENT_DATE - 6
    FOR UPDATE SKIP LOCKED
))
"""
_EXTENT = """
SELECT (SELECT count(*) FROM embeddings),
       coalesce((SELECT avg(octet_length(vector)) FROM (SELECT vector FROM embeddings LIMIT 1000) AS a_few), 0)
"""
_ROW_BYTES = 120  # what a row takes beside its vector, with its places in two indexes
_REMOVE_OLDEST = """
DELETE FROM embeddings WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM embeddings WHERE used_on < %s ORDER BY used_on LIMIT %s FOR UPDATE SKIP LOCKED
))
"""


class PostgresEmbeddings:
    """`EmbeddingRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def known(
        self, embedder: str, hashes: Sequence[bytes], *, dimension: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Read those that are there."""
        with driver_connection(self._connection).cursor(binary=True) as cursor:
            rows = cursor.execute(_KNOWN, (list(hashes), embedder, 4 * dimension)).fetchall()
            cursor.execute(_USED, (embedder, [hashes[row[0]] for row in rows]))
        import numpy as np

        places = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        vectors = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(len(rows), dimension)
        return places, vectors

    def add(self, embedder: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Write those that are not there."""
        import numpy as np

        rows = np.ascontiguousarray(vectors, "<f4")
        with driver_connection(self._connection).cursor() as cursor:
            cursor.execute(_ADD, (embedder, list(hashes), [row.tobytes() for row in rows]))

    def extent(self) -> tuple[int, float]:
        """Count rows by their index, and measure a few."""
        with driver_connection(self._connection).cursor() as cursor:
            count, average = cursor.execute(_EXTENT).fetchone() or (0, 0)
        return int(count), float(average) + _ROW_BYTES if count else 0.0

    def remove_oldest(self, most: int, *, unused_since: date | None = None) -> int:
        """Delete rows by their index on the day of their last use."""
        with driver_connection(self._connection).cursor() as cursor:
            return cursor.execute(_REMOVE_OLDEST, (unused_since or date.max, most)).rowcount

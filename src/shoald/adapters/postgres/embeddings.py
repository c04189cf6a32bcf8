"""Vectors of texts that were embedded before: whole batches in and out, as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence
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

"""The rows of a flat index once more, a byte a number: what is near is found with a quarter of the bytes read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shoald.adapters.faiss.index_files import load_faiss

WORTHWHILE = 1 << 22
"""Numbers in an index that no cache of a processor holds; smaller ones are scanned as fast as they are."""

_CANDIDATES = 256
_FOR_EACH = 16
_STEPS = 255
_ROUNDING = 1e-5  # of float32 sums, many times over


class Sketch:
    """Finds the nearest of (n, d) float32 rows of unit length, exactly, or says that it cannot.

    FAISS codes each number in 255 steps between the least and the largest of its dimension, so that the product of a
    query with a coded row is wrong by half a step in each dimension at most. The candidates are the rows with the
    largest such products. No other row can be nearer than the last of them by more than that error; where the m-th of
    the true products is larger still, the m nearest are among the candidates. Takes n d bytes.
    """

    def __init__(self, rows: npt.NDArray[np.float32]) -> None:
        faiss = load_faiss()
        d = rows.shape[1]
        self._rows = rows
        self._coded = faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        self._coded.train(rows)
        self._coded.add(rows)
        widths = faiss.vector_to_array(self._coded.sq.trained)[d:]
        self._half_steps = widths.astype(np.float64) / (2 * _STEPS)

    def nearest(self, row: npt.NDArray[np.float32], m: int) -> npt.NDArray[np.int64] | None:
        """Return the positions of the m nearest to a (1, d) query, nearest first; None where that is not proven."""
        wanted = max(_CANDIDATES, _FOR_EACH * m)
        if wanted >= len(self._rows):
            return None
        near, found = self._coded.search(row, wanted)
        positions: npt.NDArray[np.int64] = found[0]
        products = self._rows[positions] @ row[0]
        best = np.argsort(-products, kind="stable")[:m]
        others = near[0, -1] + np.abs(row[0]) @ self._half_steps + _ROUNDING
        return positions[best] if products[best[-1]] > others else None

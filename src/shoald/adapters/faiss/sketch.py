"""The rows of a flat index once more, a byte a number: what is near is found with a quarter of the bytes read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shoald.adapters.faiss.index_files import load_faiss

WORTHWHILE = 1 << 22
"""Numbers in an index that no cache of a processor holds; smaller ones are scanned as fast as they are."""

_CANDIDATES = 256
_FOR_EACH = 8
_STEPS = 255
_MIDDLE = 128
_LARGEST = 127
_BLOCK = 16_384
_ROUNDING = 1e-5
"""Of float32 sums of products that add up to about one, many times over."""

Doubles = npt.NDArray[np.float64]


class Sketch:
    """Finds the nearest of (n, d) float32 rows of unit length, exactly, or says that it cannot.

    Each number is coded as one of 256 steps between the least and the largest of its dimension. A query is multiplied
    by these steps and becomes whole numbers from -127 to 127, so that FAISS multiplies bytes by bytes: a scan takes
    half the time of one in which it decodes each number, and a third of one over the rows themselves. Takes n d bytes.

    The candidates are the rows with the largest such products. These are wrong by half a step in each dimension at
    most, and by what rounding the query leaves, which meets a row's codes: known for the mean row, and for what a row
    differs from that at most the product of both lengths. No other row can be nearer than the last candidate by more;
    where the m-th of the true products is larger still, the m nearest are among the candidates.
    """

    def __init__(self, rows: npt.NDArray[np.float32]) -> None:
        faiss = load_faiss()
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        self._rows = rows
        self._coded = faiss.IndexScalarQuantizer(rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        least, most = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
        self._steps = (most - least) / _STEPS
        self._middle = least + _MIDDLE * self._steps
        wide = np.where(self._steps > 0, self._steps, 1.0)
        self._mean = (rows.mean(axis=0, dtype=np.float64) - self._middle) / wide
        self._farthest = 0.0
        for at in range(0, len(rows), _BLOCK):
            codes = (np.rint((rows[at : at + _BLOCK] - least) / wide) - _MIDDLE).astype(np.float32)
            self._coded.add(codes)
            self._farthest = max(self._farthest, float(np.linalg.norm(codes - self._mean, axis=1).max()))

    def nearest(self, row: npt.NDArray[np.float32], m: int) -> npt.NDArray[np.int64] | None:
        """Return the positions of the m nearest to a (1, d) query, nearest first; None where that is not proven."""
        wanted = max(_CANDIDATES, _FOR_EACH * m)
        if wanted >= len(self._rows):
            return None
        stepped = row[0] * self._steps
        scale = float(np.abs(stepped).max()) / _LARGEST or 1.0
        whole = np.rint(stepped / scale)
        near, found = self._coded.search(whole.astype(np.float32)[None, :], wanted)
        positions: npt.NDArray[np.int64] = found[0]
        products = self._rows[positions] @ row[0]
        best = np.argsort(-products, kind="stable")[:m]
        others = scale * float(near[0, -1]) + float(row[0] @ self._middle) + self._more(stepped, scale * whole)
        return positions[best] if products[best[-1]] > others else None

    def _more(self, stepped: Doubles, rounded: Doubles) -> float:
        """Return by how much a true product may be larger than the one of codes."""
        left, steps = stepped - rounded, float(np.abs(stepped).sum())
        by_rounding = float(left @ self._mean) + float(np.linalg.norm(left)) * self._farthest
        return by_rounding + steps / 2 + _ROUNDING * (1 + _MIDDLE * steps)

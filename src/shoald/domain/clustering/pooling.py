"""Several vectors of a document in, one out: the mean of their directions."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.spaces import Floats
from shoald.domain.ragged_arrays import Bounds


def pooled(rows: Floats, bounds: Bounds) -> Floats:
    """Return (n, d) float32: the mean of `rows[bounds[i]:bounds[i + 1]]`, each row first brought to unit length.

    No row of the result is longer than 1; it is the shorter the more a document's vectors disagree. A row that is zero
    counts as zero. No document is without rows. In float64, row by row, so that a document's vector does not depend on
    those beside it. O(t d).
    """
    wide = rows.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1))
    wide /= np.where(lengths > 0, lengths, 1.0)[:, None]
    sums = np.add.reduceat(wide, bounds[:-1], axis=0)
    return np.asarray(sums / np.diff(bounds)[:, None], dtype=np.float32)

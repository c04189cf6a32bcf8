"""Vectors in, an order of their rows out that depends on what they hold and not on what they are called.

Ids are often random, so that the same documents stored twice stand in another order; whatever draws rows by a seed
would then give other groups. Ordered by content the same vectors always meet the algorithms in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.input_vectors import checked_vectors
from shoald.domain.clustering.spaces import Floats, Integers, block_rows, row_blocks
from shoald.domain.failures import InvalidVectors

_SEED = 20_261_121
Hashes = npt.NDArray[np.uint64]


def _nothing() -> None:
    """Do nothing."""


def row_hashes(vectors: Floats, rows: Integers) -> Hashes:
    """Return (len(rows),) 64-bit hashes of (n, d) float32 rows: equal rows have equal ones. O(rows d), in blocks."""
    factors = np.random.default_rng(_SEED).integers(1, 2**63, vectors.shape[1], dtype=np.uint64) * 2 + 1
    found = np.empty(len(rows), dtype=np.uint64)
    size = block_rows(vectors.shape[1])
    for at in range(0, len(rows), size):
        block = np.ascontiguousarray(vectors[rows[at : at + size]] + np.float32(0))  # -0 is 0
        words = block.view(np.uint32).astype(np.uint64)
        found[at : at + size] = mixed((words * factors).sum(axis=1, dtype=np.uint64))
    return found


def joined_hashes(parts: Sequence[Hashes]) -> Hashes:
    """Return one hash for each row of several features."""
    total = np.zeros_like(parts[0])
    for part in parts:
        total = mixed(total * np.uint64(31) + part)
    return total


def mixed(words: Hashes) -> Hashes:
    """Spread every bit over the word (the finalizer of MurmurHash3)."""
    words = words ^ (words >> np.uint64(33))
    words = words * np.uint64(0xFF51AFD7ED558CCD)
    words = words ^ (words >> np.uint64(33))
    words = words * np.uint64(0xC4CEB9FE1A85EC53)
    return np.asarray(words ^ (words >> np.uint64(33)))


def gathered(vectors: Floats, rows: Integers, *, normalize: bool, after: Callable[[], None] = _nothing) -> Floats:
    """Return the rows as (len(rows), d) float32, checked and, if asked, of unit length.

    They are read in blocks in the order in which they lie, as files are read fastest; `after` is called between blocks.
    Takes 4 d bytes a row beside the input. Raises `InvalidVectors` with the numbers of the bad ones among `rows`.
    """
    found = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
    for part in row_blocks(np.argsort(rows, kind="stable"), vectors.shape[1]):
        try:
            found[part] = checked_vectors(vectors[rows[part]], normalize=normalize)
        except InvalidVectors as problem:
            raise _among(problem, part) from problem
        after()
    return found


def _among(problem: InvalidVectors, part: Integers) -> InvalidVectors:
    """Give bad rows of a block the numbers that they have among all."""
    if "rows" not in problem.detail:
        return problem
    return InvalidVectors(
        problem.message, detail={**problem.detail, "rows": [int(part[n]) for n in problem.detail["rows"]]}
    )

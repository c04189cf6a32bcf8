"""Labels and vectors in; one centroid a group out, with each member's cosine to its own."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.domain.clustering.spaces import Floats, Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Centroids:
    """The centres of the groups 0 … k - 1.

    `vectors` is (k, d) float32; `sizes` (k,) counts of members; `similarities` (n,) float32, each row's
    max(0, cosine) to its own centroid, and 0 for noise; `mean_similarity` and `min_similarity` are (k,) float32 over
    the members.
    """

    vectors: Floats
    sizes: Integers
    similarities: Floats
    mean_similarity: Floats
    min_similarity: Floats

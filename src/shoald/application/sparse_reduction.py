"""Sparse vectors of the documents of a run go in; dense ones, and the components that they lie along, come out.

What was decomposed is kept by its content, as stages are: runs over the same vectors share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.ports.run_tables import Columns
from shoald.application.ports.staged_arrays import StagedArrays
from shoald.application.staged_stages import content_of, stage_key
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.spaces import Floats, Integers, Step, no_step
from shoald.domain.clustering.sparse_svd import SparseRows, svd_bytes, truncated_svd
from shoald.domain.failures import TooLarge
from shoald.domain.json_types import JsonObject
from shoald.domain.ragged_arrays import bounds_of, entries_of

COMPONENTS = 128
"""More than the dimensions in which density is looked for directly: such methods begin with a layout."""
MOST_FITTED = 100_000
"""Rows that components are looked for in; what more there are is put along them. A hundred thousand know the directions
that groups lie in, and bound what the decomposition takes of time and memory.
"""
_SEED = 42
_LEAST_SHARE = 1e-4
"""A document of whose squared length less than this is kept lies along none of the components: what is left of it is
what rounds of products have not taken away yet."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Components:
    """What sparse vectors were reduced to: `loadings[i]` (t, c) float32 are those of the term `terms[i]`, ascending."""

    terms: npt.NDArray[np.int32]
    loadings: Floats
    variance_kept: float | None
    is_normalized: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """(n, c) float32 rows, and which of them lie along the components at all, (n,) bool.

    `peak_bytes` is what was taken of memory for them, `fitted_rows` how many of them the components were looked for
    in; None where that were all, or the rows of another run.
    """

    vectors: Floats
    has_direction: npt.NDArray[np.bool_]
    components: Components
    peak_bytes: int
    fitted_rows: int | None = None

    def note(self) -> JsonObject:
        """Say what was done, for the run's record."""
        along = self.components
        fitted = {} if self.fitted_rows is None else {"fitted_rows": self.fitted_rows}
        return {
            **fitted,
            "kind": "sparse",
            "method": "truncated_svd",
            "terms": len(along.terms),
            "components": int(along.loadings.shape[1]),
            "variance_kept": along.variance_kept,
            "normalized": along.is_normalized,
            "content": content_of(along.loadings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseReduction:
    """Reduces sparse vectors by truncated SVD of at most `most_fitted` rows; `limit_mib` 0 is no limit of memory."""

    staged: StagedArrays
    backend: ArrayBackend
    limit_mib: int = 0
    most_fitted: int = MOST_FITTED

    def fitted(self, rows: SparseRows, *, normalize: bool, is_fresh: bool = False, step: Step = no_step) -> Reduced:
        """Decompose the rows, each of unit length where features are normalized; `is_fresh` takes nothing kept.

        The order of the rows does not matter: of too many those are decomposed whose content has the smallest hashes,
        a sample that neither ids nor the rows beside it change. Raises `TooLarge` with the number.
        """
        order = np.argsort(rows.hashes(), kind="stable")
        if len(order) <= self.most_fitted:
            return self._whole(rows, order, normalize=normalize, is_fresh=is_fresh, step=step)
        sample = _rows_at(rows, order[: self.most_fitted])
        drawn = np.arange(len(sample))
        fitted = self._whole(sample, drawn, normalize=normalize, is_fresh=is_fresh, step=step)
        found = self.projected(rows, fitted.components)
        return replace(found, peak_bytes=max(found.peak_bytes, fitted.peak_bytes), fitted_rows=len(sample))

    def _whole(self, rows: SparseRows, order: Integers, *, normalize: bool, is_fresh: bool, step: Step) -> Reduced:
        """Decompose all of the rows, in this order."""
        ordered = _rows_at(rows, order)
        key = stage_key("svd", content_of(rows.hashes()[order]), normalize, COMPONENTS, _SEED)
        known = None if is_fresh else self.staged.get(key)
        if known is None:
            known = self._decomposed(ordered.of_unit_length() if normalize else ordered, step)
            self.staged.put(key, known)
        scores = np.empty(known["scores"].shape, dtype=np.float32)
        scores[order] = known["scores"]
        components = Components(
            terms=np.asarray(known["terms"]),
            loadings=np.asarray(known["loadings"]),
            variance_kept=float(known["variance_kept"][0]),
            is_normalized=normalize,
        )
        needs = svd_bytes(len(rows), len(rows.indices), len(components.terms), COMPONENTS)
        return _reduced(rows, scores, components, needs)

    def _decomposed(self, rows: SparseRows, step: Step) -> Mapping[str, npt.NDArray[Any]]:
        terms = np.unique(rows.indices)
        self._require_room(svd_bytes(len(rows), len(rows.indices), len(terms), COMPONENTS))
        components = min(COMPONENTS, len(rows), len(terms))
        found = truncated_svd(rows.over(terms), components, seed=_SEED, backend=self.backend, step=step)
        variance = np.array([found.variance_kept])
        return {"terms": terms, "loadings": found.loadings, "scores": found.scores, "variance_kept": variance}

    def _require_room(self, needs: int) -> None:
        limit = self.limit_mib * MIB
        if limit and needs > limit:
            message = (
                f"Reducing the sparse vectors would take {-(-needs // MIB)} MiB; "
                f"cluster_memory_mib allows {self.limit_mib}."
            )
            detail = {"estimated_peak_bytes": needs, "limit_bytes": limit, "stage": "reduce"}
            raise TooLarge(message, detail=detail, hint="cluster fewer documents, or raise SHOAL_CLUSTER_MEMORY_MIB")

    def projected(self, rows: SparseRows, components: Components) -> Reduced:
        """Reduce rows to the components of another run; terms that these lack count nothing."""
        mine = rows.of_unit_length() if components.is_normalized else rows
        scores = np.ascontiguousarray(mine.over(components.terms) @ components.loadings, dtype=np.float32)
        return _reduced(rows, scores, components, 32 * len(rows.indices) + 2 * scores.nbytes)


def _rows_at(rows: SparseRows, order: Integers) -> SparseRows:
    entries, bounds = entries_of(rows.bounds, order)
    return SparseRows(indices=rows.indices[entries], values=rows.values[entries], bounds=bounds)


def _reduced(rows: SparseRows, scores: Floats, components: Components, peak_bytes: int) -> Reduced:
    kept = np.einsum("ij,ij->i", scores, scores, dtype=np.float64)
    of_all = 1.0 if components.is_normalized else rows.squares
    has_direction = kept > _LEAST_SHARE * of_all
    return Reduced(vectors=scores, has_direction=has_direction, components=components, peak_bytes=peak_bytes)


def joined_rows(parts: Sequence[SparseRows]) -> SparseRows:
    """Put the rows of several collections one after another."""
    return SparseRows(
        indices=np.concatenate([one.indices for one in parts]),
        values=np.concatenate([one.values for one in parts]),
        bounds=bounds_of(np.concatenate([np.diff(one.bounds) for one in parts])),
    )


def component_columns(features: Mapping[str, Components]) -> Columns:
    """Return the components of all features as a table, a row for each term of each."""
    found = list(features.items())
    of_one_width = len({one.loadings.shape[1] for one in features.values()}) == 1
    return {
        "feature": [name for name, one in found for _ in range(len(one.terms))],
        "term": np.concatenate([one.terms for _, one in found]),
        "is_normalized": [one.is_normalized for _, one in found for _ in range(len(one.terms))],
        "loadings": np.concatenate([one.loadings for _, one in found])
        if of_one_width
        else [row for _, one in found for row in one.loadings],
    }


def components_in(rows: Mapping[str, list[Any]]) -> dict[str, Components]:
    """Return the components of each feature as they stand in such a table."""
    features = np.array(rows["feature"], dtype=object)
    found = {}
    for name in dict.fromkeys(rows["feature"]):
        mine = np.flatnonzero(features == name)
        found[name] = Components(
            terms=np.array([rows["term"][row] for row in mine], dtype=np.int32),
            loadings=np.stack([rows["loadings"][row] for row in mine]).astype(np.float32),
            variance_kept=None,
            is_normalized=bool(rows["is_normalized"][mine[0]]),
        )
    return found

"""Groups of a sample go in; groups of all documents come out: each of the others goes to its nearest centroid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_work import Work
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.group_tree import ROOT, GroupTree
from shoald.domain.clustering.spaces import Floats, Integers, row_slices
from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholeGroups:
    """The groups over all rows of the input."""

    tree: GroupTree
    centres: Centroids
    probabilities: Floats
    notes: JsonObject = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()


def completed_by_cosine(
    work: Work, given: ClusterInput, tree: GroupTree, centres: Centroids, probabilities: Floats
) -> WholeGroups:
    """Assign the documents outside the sample, if there is one, to groups without children.

    Where the algorithm left some of the sample in no group, a document must come as near to a centroid as the
    farthest member that the algorithm itself put there; elsewhere the nearest centroid takes it. O(rest · k · d).
    """
    if given.sample is None:
        return WholeGroups(tree=tree, centres=centres, probabilities=probabilities)
    leaves = np.setdiff1d(np.arange(len(tree)), tree.parents)
    has_noise = bool((tree.labels == ROOT).any())
    least = centres.min_similarity[leaves] if has_noise else np.zeros(len(leaves), dtype=np.float32)
    rest = given.rest
    labels, cosines = _assigned(work, given, rest, centres.vectors[leaves], least)
    n = len(given.ids)
    whole = np.full(n, ROOT, dtype=np.int32)
    similarities = np.zeros(n, dtype=np.float32)
    firmness = np.zeros(n, dtype=np.float32)
    whole[given.sampled], whole[rest] = tree.labels, np.where(labels >= 0, np.append(leaves, ROOT)[labels], ROOT)
    similarities[given.sampled], similarities[rest] = centres.cosines, cosines
    firmness[given.sampled], firmness[rest] = probabilities, np.where(labels >= 0, cosines, 0)
    notes = {
        "sample": {
            "clustered": len(given.sampled),
            "assigned_afterwards": int((labels >= 0).sum()),
            "left_in_no_group": int((labels < 0).sum()),
            "rule": "nearest centroid"
            + (", at least as near as its farthest member in the sample" if has_noise else ""),
        }
    }
    said = f"{len(given.sampled)} of {n} documents were clustered; the others were assigned to the nearest centroids"
    grown = replace(tree, labels=whole)
    return WholeGroups(
        tree=grown,
        centres=_with_all(centres, grown, similarities),
        probabilities=firmness,
        notes=notes,
        warnings=(said,),
    )


def _assigned(
    work: Work, given: ClusterInput, rest: Integers, centroids: Floats, least: Floats
) -> tuple[Integers, Floats]:
    """Return the nearest centroid of each row, ROOT where it is not near enough, and the cosine; in blocks."""
    labels = np.full(len(rest), ROOT, dtype=np.int64)
    cosines = np.zeros(len(rest), dtype=np.float32)
    for part in row_slices(len(rest), given.vectors.shape[1]):
        work.context.check()
        vectors = given.vectors_of(rest[part], normalize=True)
        found, near = stages.assign(vectors, centroids, threshold=-1.0, tools=work.tools)
        enough = (found >= 0) & (near >= np.append(least, np.inf)[found])
        labels[part], cosines[part] = np.where(enough, found, ROOT), near
    return labels, cosines


def _with_all(centres: Centroids, tree: GroupTree, cosines: Floats) -> Centroids:
    """Count the members that came later in sizes and cosines; the centroids stay where the sample put them."""
    members = tree.members()
    seen = np.maximum(cosines, 0)
    return replace(
        centres,
        sizes=np.array([len(rows) for rows in members], dtype=np.int64),
        similarities=seen,
        cosines=cosines,
        mean_similarity=np.array([seen[rows].mean() if len(rows) else 0 for rows in members], dtype=np.float32),
        min_similarity=np.array([seen[rows].min() if len(rows) else 0 for rows in members], dtype=np.float32),
    )

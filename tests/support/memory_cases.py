"""Whole cluster runs whose memory is measured: what each is asked for, over which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MIB = 1 << 20
_WRITTEN_ROWS = 16_384

LIMIT_MIB = 2048
AT_REST_MIB = 400
"""What a worker holds before a run, and has for all that is no run's."""
WITH_MAP = 5_000
"""Under a limit larger runs go without a map."""
GROUPS = 40
GIVEN: dict[str, dict[str, Any]] = {
    "kmeans": {"n_clusters": GROUPS},
    "dbscan": {"eps": 0.75, "min_samples": 10},
    "hdbscan": {"min_cluster_size": 20, "min_samples": 5},
    "agglomerative": {"n_clusters": GROUPS},
    "spectral": {"n_clusters": GROUPS},
    "gaussian_mixture": {"n_components": GROUPS, "covariance_type": "diag"},
    "mean_shift": {"bandwidth": 0.8},
    "optics": {},
    "leiden": {},
    "evoc": {},
    "auto": {},
}
STEPS: dict[str, list[dict[str, Any]]] = {
    "umap": [{"method": "umap", "n_components": 10}],
    "tsne": [{"method": "tsne", "n_components": 2}],
    "whitening": [{"method": "whitening"}],
    "whitening and umap": [{"method": "whitening"}, {"method": "umap", "n_components": 5}],
}
BESIDE: dict[str, dict[str, Any]] = {
    "no map": {"asked": {"stability": "none"}, "changes": {"defer_visualization": True}},
    "solid map": {"asked": {"vis_n_components": 3}},
    "principal map": {"body": {"dimension_reduction": {"method": "pca", "components": 2}}},
    "tsne map": {"body": {"dimension_reduction": {"method": "tsne", "components": 2}}},
    "hierarchy": {"asked": {"hierarchical": True, "max_hierarchy_depth": 1}},
    "thorough": {"asked": {"stability": "thorough"}},
}
"""What changes a run of k-means, by the fields of its `MemoryCase`."""


@dataclass(frozen=True, kw_only=True)
class MemoryCase:
    """A run over the first `rows` of each `.npy` file, a feature each: what is asked for, and what its call changes.

    `after` is what a first run is asked that is not measured: one to assign to, or to repeat; it sees `after_rows`, all
    unless that is set. `settings` make it a sweep.
    """

    files: Mapping[str, str]
    rows: int
    asked: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] | None = None
    after_rows: int = 0
    settings: Sequence[Mapping[str, Any]] = ()
    limit_mib: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)


def file_of_groups(folder: Path, rows: int, groups: int, width: int) -> Path:
    """Return a file of (rows, width) float32 unit rows around so many random directions."""
    file = folder / f"groups-{rows}-{groups}-{width}.npy"
    if file.exists():
        return file
    random = np.random.default_rng(0)
    scale = np.float32(1 / np.sqrt(width))
    centres = random.normal(size=(groups, width)).astype(np.float32) * scale
    out = np.lib.format.open_memmap(file, mode="w+", dtype="<f4", shape=(rows, width))
    for at in range(0, rows, _WRITTEN_ROWS):
        count = min(_WRITTEN_ROWS, rows - at)
        found = centres[random.integers(0, groups, count)]
        found += 0.5 * scale * random.normal(size=found.shape).astype(np.float32)
        out[at : at + count] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return file


def case_of_groups(folder: Path, method: str, rows: int, width: int = 64, **more: Any) -> MemoryCase:
    """Return a run of an algorithm over planted groups, as unit rows in a file that is mapped."""
    asked: Mapping[str, Any] = {
        "clustering_method": method,
        "algorithm_params": GIVEN[method],
        "preprocessing_steps": [{"method": "none"}],
        **more.pop("asked", {}),
    }
    file = file_of_groups(folder, rows, GROUPS, width)
    return MemoryCase(files={"v": str(file)}, rows=rows, asked=asked, **more)


def case_under_a_limit(folder: Path, method: str, rows: int, width: int) -> MemoryCase:
    """Return a run over all rows where a process may take LIMIT_MIB; some have to be refused."""
    asked = {"sample_size": rows, "stability": "none"}
    changes = {"defer_visualization": True} if rows > WITH_MAP else {}
    return case_of_groups(folder, method, rows, width, asked=asked, changes=changes, limit_mib=LIMIT_MIB - AT_REST_MIB)


def cases_of_other_kinds(folder: Path, rows: int, width: int = 64) -> dict[str, MemoryCase]:
    """Return runs that are not one algorithm over one feature, by their names."""
    files = {name: str(file_of_groups(folder, rows, GROUPS, d)) for name, d in (("a", 64), ("b", 128))}
    given: dict[str, Any] = {"clustering_method": "kmeans", "algorithm_params": GIVEN["kmeans"]}
    apart = {**given, "feature_uris": ["a", "b"], "multi_feature_strategy": "independent"}
    joined = {**apart, "multi_feature_strategy": "concatenate"}
    by_kind = {"cluster_type": "attribute", "attribute_config": {"attributes": ["kind"]}}
    half = {"after": {}, "after_rows": rows // 2, "changes": {"mode": "assign"}}
    settings = [{"min_cluster_size": size} for size in (5, 10, 20)]
    return {
        "assign half of them": case_of_groups(folder, "kmeans", rows, width, **half),
        "repeat": case_of_groups(folder, "kmeans", rows, width, after={}, changes={"replay_of": "run_0"}),
        "sweep of three hdbscan": case_of_groups(folder, "hdbscan", rows, width, settings=settings),
        "two features apart": MemoryCase(files=files, rows=rows, asked=apart),
        "two features joined": MemoryCase(files=files, rows=rows, asked=joined),
        "attributes": MemoryCase(files=files, rows=rows, asked={}, body=by_kind),
    }

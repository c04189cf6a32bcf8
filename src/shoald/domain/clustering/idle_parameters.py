"""Parameters of one method in; those that were given and have no effect beside the others, and why, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shoald.domain.clustering.metrics import KERNEL_WORDS, POWERED


@dataclass(frozen=True, slots=True)
class _Unless:
    """A parameter without effect unless `works` holds of all of them; `why` says what keeps it from having one."""

    name: str
    works: Callable[[Any], bool]
    why: str


def _kernel_has(word: str) -> Callable[[Any], bool]:
    return lambda given: word in KERNEL_WORDS.get(given.affinity, ())


def _is_said_once(word: str) -> Callable[[Any], bool]:
    return lambda given: not (_kernel_has(word)(given) and word in (given.kernel_params or {}))


def _rotates(given: Any) -> bool:
    """Say whether rotation gives the groups, which has no restarts."""
    return given.assign_labels == "discretize" and given.n_components in {None, given.n_clusters}


_POWER = _Unless("p", lambda given: given.metric in POWERED, "it is the power of the metric minkowski")
_BY_XI = "cluster_method is dbscan"
_KERNEL = "the affinity knows no such number"
_SEEDS = "seeds were given"
_BESIDE: Mapping[str, tuple[_Unless, ...]] = {
    "dbscan": (_POWER,),
    "hdbscan": (
        _Unless(
            "max_cluster_size",
            lambda given: given.cluster_selection_method == "eom",
            "cluster_selection_method is leaf, which takes the smallest clusters that there are",
        ),
    ),
    "agglomerative": (
        _Unless("n_clusters", lambda given: given.distance_threshold is None, "distance_threshold decides alone"),
    ),
    "spectral": (
        _Unless("gamma", _kernel_has("gamma"), _KERNEL),
        _Unless("degree", _kernel_has("degree"), _KERNEL),
        _Unless("coef0", _kernel_has("coef0"), _KERNEL),
        *(_Unless(word, _is_said_once(word), "kernel_params has one") for word in ("gamma", "degree", "coef0")),
        _Unless("kernel_params", lambda given: given.affinity in KERNEL_WORDS, "the affinity is no kernel"),
        _Unless("n_init", lambda given: not _rotates(given), "assign_labels is discretize"),
    ),
    "mean_shift": (
        _Unless("bandwidth_quantile", lambda given: given.bandwidth is None, "bandwidth was given"),
        _Unless("bin_seeding", lambda given: given.seeds is None, _SEEDS),
        _Unless(
            "min_bin_freq",
            lambda given: given.bin_seeding and given.seeds is None,
            "seeds come from no grid unless bin_seeding is asked for",
        ),
    ),
    "optics": (
        _POWER,
        _Unless("eps", lambda given: given.cluster_method == "dbscan", "cluster_method is xi"),
        _Unless("xi", lambda given: given.cluster_method == "xi", _BY_XI),
        _Unless("predecessor_correction", lambda given: given.cluster_method == "xi", _BY_XI),
        _Unless("min_cluster_size", lambda given: given.cluster_method == "xi", _BY_XI),
    ),
}


def idle_beside(given: Any) -> tuple[str, ...]:
    """Name each parameter that differs from its default and changes nothing beside the others.

    >>> from shoald.domain.clustering.parameters import DbscanParameters
    >>> idle_beside(DbscanParameters(p=3.0)), idle_beside(DbscanParameters(p=3.0, metric="minkowski"))
    (('p does not apply: it is the power of the metric minkowski',), ())
    """
    default = type(given)()
    found = [
        f"{one.name} does not apply: {one.why}"
        for one in _BESIDE.get(given.method, ())
        if getattr(given, one.name) not in (None, getattr(default, one.name)) and not one.works(given)
    ]
    return (*found, *_unknown_to_kernel(given))


def _unknown_to_kernel(given: Any) -> list[str]:
    """Name the words of `kernel_params` that the kernel does not take."""
    words = KERNEL_WORDS.get(getattr(given, "affinity", ""))
    if words is None or not getattr(given, "kernel_params", None):
        return []
    strange = sorted(word for word in given.kernel_params if word not in words)
    return [f"kernel_params.{word} does not apply: the affinity {given.affinity} does not take it" for word in strange]

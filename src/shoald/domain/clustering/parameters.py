"""Free JSON parameters in, frozen ones with the documented defaults and ranges out; nothing is ever clamped.

What a value's type allows is coerced ("15" and 15.0 are 15); what lies outside a range is refused, naming the field;
what belongs to another algorithm or to nobody is dropped with a warning, since an official client sends such things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from shoald.domain.clustering.idle_parameters import idle_beside
from shoald.domain.clustering.metrics import KERNEL_WORDS, METRIC_WORDS, METRICS, OWN_METRICS, own_metric
from shoald.domain.clustering.parameter_rules import (
    Idle,
    Location,
    Rule,
    idle,
    names_of,
    not_among,
    parameter,
    read_parameters,
    read_value,
)
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import PreprocessingMethod

__all__ = ["ALGORITHMS", "OWN_METRICS", "STEPS", "AlgorithmParameters", "parse_algorithm", "parse_steps"]

SEED = 2**32 - 1
"""The largest seed."""

_VERBOSE = "progress is reported by the run's task"
_THREADS = "a run uses the worker's threads, and its answer does not depend on them"
_SEARCH = "neighbours are found exactly, by matrix products"
_N_JOBS = idle(int, _THREADS)
_LEAF_SIZE = idle(int, _SEARCH, least=1)
_TREES = idle(str, _SEARCH, words=("auto", "ball_tree", "kd_tree", "brute"))


def _seed() -> Any:
    return parameter(42, int, least=0, most=SEED, nullable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class KmeansParameters:
    """k-means; `random_state` null means a seed drawn for the run and recorded."""

    method: ClassVar[str] = "kmeans"
    aliases: ClassVar[Mapping[str, str]] = {"num_clusters": "n_clusters"}
    idle: ClassVar[Mapping[str, Idle]] = {
        "verbose": idle(int, _VERBOSE, least=0),
        "copy_x": idle(bool, "the vectors are never modified"),
    }

    n_clusters: int = parameter(8, int, least=2, most=1000)
    max_iter: int = parameter(300, int, least=1, most=10_000)
    n_init: int = parameter(10, int, least=1)
    tol: float = parameter(1e-4, float, above=0)
    init: str = parameter("k-means++", str, words=("k-means++", "random"))
    random_state: int | None = _seed()
    algorithm: str = parameter("lloyd", str, words=("lloyd", "elkan", "auto"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DbscanParameters:
    """DBSCAN; `min_samples` counts the row itself, as in scikit-learn."""

    method: ClassVar[str] = "dbscan"
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {"algorithm": _TREES, "leaf_size": _LEAF_SIZE, "n_jobs": _N_JOBS}

    eps: float = parameter(0.5, float, above=0)
    min_samples: int = parameter(5, int, least=1)
    metric: str = parameter("euclidean", str, words=METRICS)
    metric_params: JsonObject | None = parameter(None, dict, nullable=True)
    p: float = parameter(2.0, float, above=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HdbscanParameters:
    """HDBSCAN; words mean what the `hdbscan` library means by them: `min_samples` does not count the row itself."""

    method: ClassVar[str] = "hdbscan"
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {
        "prediction_data": idle(bool, "later documents are assigned by their cosine to the centroids"),
    }

    min_cluster_size: int = parameter(5, int, least=2)
    min_samples: int | None = parameter(None, int, least=1, nullable=True)
    cluster_selection_epsilon: float = parameter(0.0, float, least=0)
    max_cluster_size: int | None = parameter(None, int, least=1, nullable=True)
    metric: str = parameter("euclidean", str, words=METRICS)
    alpha: float = parameter(1.0, float, above=0)
    cluster_selection_method: str = parameter("eom", str, words=("eom", "leaf"))
    allow_single_cluster: bool = parameter(default=False, kind=bool)
    match_reference_implementation: bool = parameter(default=False, kind=bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgglomerativeParameters:
    """Agglomerative clustering; `distance_threshold` decides alone where both it and `n_clusters` are given."""

    method: ClassVar[str] = "agglomerative"
    aliases: ClassVar[Mapping[str, str]] = {"num_clusters": "n_clusters", "metric": "affinity"}
    idle: ClassVar[Mapping[str, Idle]] = {
        "memory": idle(str, "finished stages are kept by Shoal, and no path of a request is opened"),
        "connectivity": idle(list, "the rows of a run have no order that a request could refer to"),
        "compute_full_tree": idle(
            str, "the whole tree is always made", words=("auto", "True", "False", "true", "false")
        ),
        "compute_distances": idle(bool, "the heights of the merges are always recorded"),
    }

    n_clusters: int | None = parameter(2, int, least=2, nullable=True)
    affinity: str = parameter("euclidean", str, words=METRICS)
    linkage: str = parameter("ward", str, words=("ward", "complete", "average", "single"))
    distance_threshold: float | None = parameter(None, float, above=0, nullable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralParameters:
    """Spectral clustering of a similarity graph."""

    method: ClassVar[str] = "spectral"
    aliases: ClassVar[Mapping[str, str]] = {"num_clusters": "n_clusters"}
    idle: ClassVar[Mapping[str, Idle]] = {
        "eigen_solver": idle(str, "one solver serves every graph", words=("arpack", "lobpcg", "amg")),
        "n_jobs": _N_JOBS,
        "verbose": idle(bool, _VERBOSE),
    }

    n_clusters: int = parameter(8, int, least=2)
    n_components: int | None = parameter(None, int, least=1, nullable=True)
    random_state: int | None = _seed()
    n_init: int = parameter(10, int, least=1)
    gamma: float = parameter(1.0, float, above=0)
    affinity: str = parameter("rbf", str, words=(*KERNEL_WORDS, "nearest_neighbors"))
    n_neighbors: int = parameter(10, int, least=1)
    eigen_tol: float = parameter(0.0, float, least=0)
    assign_labels: str = parameter("kmeans", str, words=("kmeans", "discretize"))
    degree: float = parameter(3.0, float)
    coef0: float = parameter(1.0, float)
    kernel_params: JsonObject | None = parameter(None, dict, nullable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianMixtureParameters:
    """A mixture of normal distributions."""

    method: ClassVar[str] = "gaussian_mixture"
    aliases: ClassVar[Mapping[str, str]] = {"num_clusters": "n_components", "n_clusters": "n_components"}
    idle: ClassVar[Mapping[str, Idle]] = {
        "warm_start": idle(bool, "every run starts anew"),
        "verbose": idle(int, _VERBOSE, least=0),
        "verbose_interval": idle(int, _VERBOSE, least=1),
    }

    n_components: int = parameter(1, int, least=1)
    covariance_type: str = parameter("full", str, words=("full", "tied", "diag", "spherical"))
    tol: float = parameter(1e-3, float, above=0)
    reg_covar: float = parameter(1e-6, float, least=0)
    max_iter: int = parameter(100, int, least=1)
    n_init: int = parameter(1, int, least=1)
    init_params: str = parameter("kmeans", str, words=("kmeans", "k-means++", "random", "random_from_data"))
    weights_init: list[Any] | None = parameter(None, list, nullable=True)
    means_init: list[Any] | None = parameter(None, list, nullable=True)
    precisions_init: list[Any] | None = parameter(None, list, nullable=True)
    random_state: int | None = _seed()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanShiftParameters:
    """Mean shift with a flat kernel; `bandwidth` null is estimated from a quantile of the distances."""

    method: ClassVar[str] = "mean_shift"
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {"n_jobs": _N_JOBS}

    bandwidth: float | None = parameter(None, float, above=0, nullable=True)
    bandwidth_quantile: float = parameter(0.1, float, above=0, most=1)
    seeds: list[Any] | None = parameter(None, list, nullable=True)
    bin_seeding: bool = parameter(default=False, kind=bool)
    min_bin_freq: int = parameter(1, int, least=1)
    cluster_all: bool = parameter(default=True, kind=bool)
    max_iter: int = parameter(300, int, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticsParameters:
    """OPTICS; `min_samples` counts the row itself, as in scikit-learn; `max_eps` null has no limit."""

    method: ClassVar[str] = "optics"
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {"algorithm": _TREES, "leaf_size": _LEAF_SIZE, "n_jobs": _N_JOBS}

    min_samples: int = parameter(5, int, least=2)
    max_eps: float | None = parameter(None, float, above=0, nullable=True)
    metric: str = parameter("minkowski", str, words=METRICS)
    p: float = parameter(2.0, float, above=0)
    metric_params: JsonObject | None = parameter(None, dict, nullable=True)
    cluster_method: str = parameter("xi", str, words=("xi", "dbscan"))
    eps: float | None = parameter(None, float, above=0, nullable=True)
    xi: float = parameter(0.05, float, least=0, most=1)
    predecessor_correction: bool = parameter(default=True, kind=bool)
    min_cluster_size: float | None = parameter(None, float, above=0, nullable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeidenParameters:
    """Leiden communities of the neighbour graph; `n_neighbors` does not count the row itself."""

    method: ClassVar[str] = "leiden"
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {}

    resolution: float = parameter(1.0, float, above=0, most=100)
    n_neighbors: int = parameter(30, int, least=2, most=200)
    metric: str = parameter("cosine", str, words=OWN_METRICS)
    min_cluster_size: int = parameter(0, int, least=0)
    objective_function: str = parameter("RBConfiguration", str, words=("RBConfiguration", "modularity", "CPM"))
    n_iterations: int = parameter(2, int, least=-1, never=0)
    random_state: int | None = _seed()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvocParameters:
    """Embedding vector oriented clustering: many granularities of one layout, and the one that persists most."""

    method: ClassVar[str] = "evoc"
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {}

    noise_level: float = parameter(0.5, float, least=0, most=1)
    base_min_cluster_size: int = parameter(5, int, least=2)
    approx_n_clusters: int | None = parameter(None, int, least=1, nullable=True)
    n_neighbors: int = parameter(15, int, least=2, most=1000)
    min_samples: int = parameter(5, int, least=1)
    random_state: int | None = _seed()


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoParameters:
    """Leave the choice of the algorithm to a look at the data; what is given narrows it.

    `n_clusters` asks for that many groups, `min_cluster_size` for none smaller.
    """

    method: ClassVar[str] = "auto"
    aliases: ClassVar[Mapping[str, str]] = {"num_clusters": "n_clusters"}
    idle: ClassVar[Mapping[str, Idle]] = {}

    n_clusters: int | None = parameter(None, int, least=2, most=1000, nullable=True)
    min_cluster_size: int | None = parameter(None, int, least=2, nullable=True)
    random_state: int | None = _seed()


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteningParameters:
    """Soft ZCA whitening; `regularization` is added to each eigenvalue of the covariance."""

    method: ClassVar[str] = PreprocessingMethod.WHITENING
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, Idle]] = {}

    regularization: float = parameter(1e-5, float, least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UmapParameters:
    """UMAP reduction; `n_neighbors` counts the row itself."""

    method: ClassVar[str] = PreprocessingMethod.UMAP
    aliases: ClassVar[Mapping[str, str]] = {"components": "n_components"}
    idle: ClassVar[Mapping[str, Idle]] = {}

    n_components: int = parameter(50, int, least=2, most=256)
    n_neighbors: int = parameter(30, int, least=2, most=1000)
    min_dist: float = parameter(0.0, float, least=0, most=1)
    metric: str = parameter("cosine", str, words=METRICS)
    random_state: int = parameter(42, int, least=0, most=SEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TsneParameters:
    """t-SNE reduction, Euclidean; a perplexity that so few rows do not allow is lowered, and the run says so."""

    method: ClassVar[str] = PreprocessingMethod.TSNE
    aliases: ClassVar[Mapping[str, str]] = {"components": "n_components"}
    idle: ClassVar[Mapping[str, Idle]] = {}

    n_components: int = parameter(2, int, least=2, most=256)
    perplexity: float = parameter(30.0, float, above=0)
    learning_rate: float = parameter(200.0, float, above=0)
    random_state: int = parameter(42, int, least=0, most=SEED)


AlgorithmParameters = (
    KmeansParameters
    | DbscanParameters
    | HdbscanParameters
    | AgglomerativeParameters
    | SpectralParameters
    | GaussianMixtureParameters
    | MeanShiftParameters
    | OpticsParameters
    | LeidenParameters
    | EvocParameters
    | AutoParameters
)
PreprocessingStep = WhiteningParameters | UmapParameters | TsneParameters

ALGORITHMS: Mapping[str, type[AlgorithmParameters]] = {
    p.method: p
    for p in (
        KmeansParameters,
        DbscanParameters,
        HdbscanParameters,
        AgglomerativeParameters,
        SpectralParameters,
        GaussianMixtureParameters,
        MeanShiftParameters,
        OpticsParameters,
        LeidenParameters,
        EvocParameters,
        AutoParameters,
    )
}
STEPS: Mapping[str, type[PreprocessingStep]] = {
    p.method: p for p in (WhiteningParameters, UmapParameters, TsneParameters)
}

_WORDS = frozenset[str]().union(*map(names_of, ALGORITHMS.values()), (f"{word}_parameters" for word in ALGORITHMS))
_STEP_WORDS = frozenset[str]().union(*map(names_of, STEPS.values()))


def parse_algorithm(
    method: str, given: JsonObject | None, *, loc: Location
) -> tuple[AlgorithmParameters, tuple[str, ...]]:
    """Return the parameters of a clustering method and the warnings about what was dropped.

    Raises `InvalidFields` with one problem per bad value, located at `loc` and the parameter's name.

    >>> parse_algorithm("hdbscan", {"min_cluster_size": 15.0, "n_clusters": 8}, loc=("body",))[1]
    ('n_clusters is no parameter of hdbscan and was ignored',)
    >>> parse_algorithm("hdbscan", {"min_cluster_sise": 15}, loc=("body",))[1]
    ('min_cluster_sise is no parameter of any method and was ignored; did you mean min_cluster_size?',)
    """
    if method not in ALGORITHMS:
        raise InvalidFields([not_among(loc, method, tuple(ALGORITHMS))])
    parameters, warnings = read_parameters(ALGORITHMS[method], given or {}, loc, elsewhere=_WORDS)
    problems = _contradictions(parameters, loc)
    if problems:
        raise InvalidFields(problems)
    return parameters, (*warnings, *idle_beside(parameters))


def _contradictions(given: AlgorithmParameters, loc: Location) -> list[FieldProblem]:
    """Return what does not go together, though each value by itself is in its range."""
    found: list[FieldProblem | None] = []
    if isinstance(given, AgglomerativeParameters):
        found = [_of_agglomeration(given, loc)]
    elif isinstance(given, SpectralParameters):
        found = _of_kernel(given.kernel_params or {}, loc)
    elif isinstance(given, OpticsParameters):
        found = [_of_optics(given, loc), *_of_metric(given.metric, given.metric_params or {}, loc)]
    elif isinstance(given, DbscanParameters):
        found = _of_metric(given.metric, given.metric_params or {}, loc)
    return [problem for problem in found if problem is not None]


def _of_metric(metric: str, options: JsonObject, loc: Location) -> list[FieldProblem | None]:
    """Refuse what a metric does not take; whether the values fit is seen beside the vectors."""
    words = METRIC_WORDS.get(metric, ())
    message = f"{metric} takes {' and '.join(words)} only" if words else f"{metric} takes no parameters"
    strange = sorted(word for word in options if word not in words)
    return [FieldProblem((*loc, "metric_params", word), "value_error", message, options[word]) for word in strange]


def _of_kernel(options: JsonObject, loc: Location) -> list[FieldProblem | None]:
    """Refuse what is no number; what the kernel does not take is named in the warnings."""
    rules = {"gamma": Rule(kind=float, above=0), "degree": Rule(kind=float), "coef0": Rule(kind=float)}
    read = [read_value(rules[word], options[word], (*loc, "kernel_params", word)) for word in rules if word in options]
    return [one for one in read if isinstance(one, FieldProblem)]


def _of_agglomeration(given: AgglomerativeParameters, loc: Location) -> FieldProblem | None:
    if given.linkage == "ward" and own_metric(given.affinity) != "euclidean":
        message = "ward needs the euclidean affinity: it merges by variance"
        return FieldProblem((*loc, "affinity"), "value_error", message, given.affinity)
    if given.distance_threshold is None and given.n_clusters is None:
        return FieldProblem((*loc, "n_clusters"), "value_error", "n_clusters or distance_threshold must be given")
    return None


def _of_optics(given: OpticsParameters, loc: Location) -> FieldProblem | None:
    limit, least = given.max_eps, given.min_cluster_size
    if given.cluster_method == "dbscan" and limit is not None and given.eps is not None and given.eps > limit:
        return FieldProblem((*loc, "eps"), "less_than_equal", f"must be at most max_eps = {limit:g}", given.eps)
    if least is not None and least > 1 and not least.is_integer():
        message = "must be a whole number of rows, or a share below 1"
        return FieldProblem((*loc, "min_cluster_size"), "value_error", message, least)
    return None


def parse_steps(
    given: Sequence[JsonObject] | None, *, loc: Location
) -> tuple[tuple[PreprocessingStep, ...], tuple[str, ...]]:
    """Return the preprocessing steps in order, `none` left out, and the warnings. Raises `InvalidFields` likewise."""
    steps: list[PreprocessingStep] = []
    warnings: list[str] = []
    for at, one in enumerate(given or ()):
        word = str(one.get("method"))
        if word == PreprocessingMethod.NONE:
            continue
        if word not in STEPS:
            known = (*STEPS, str(PreprocessingMethod.NONE))
            raise InvalidFields([not_among((*loc, at, "method"), word, known)])
        own = {k: v for k, v in one.items() if k != "method"}
        parsed, dropped = read_parameters(STEPS[word], own, (*loc, at), elsewhere=_STEP_WORDS)
        steps.append(parsed)
        warnings.extend(dropped)
    return tuple(steps), tuple(warnings)

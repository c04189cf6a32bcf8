"""Whether names without a language model fit their groups: a name, embedded, beside its own group and four drawn ones.

The demo's groups (its corpus, its parameters), and groups of the paragraphs of installed packages' documentation.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._clustering import Report, Vectors, package_paragraphs, package_vectors, text_vectors

SEEDS = tuple(range(10))
OTHERS = 4
TEXTS_OF_A_GROUP = 200
SHOWN = 40
MANY_GROUPS = 10_000
_MIB = 1024


def demo() -> tuple[list[str], Vectors, npt.NDArray[np.int32]]:
    """Return the demo's texts, their vectors, and the group of each: UMAP to 10, then HDBSCAN."""
    from shoald.application import cluster_stages as run
    from shoald.cli.demo_corpus import standard_library_texts
    from shoald.domain.clustering.parameters import HdbscanParameters, UmapParameters

    texts = [f"{t['name']}: {t['text']}" for module in standard_library_texts().values() for t in module]
    vectors, tools = np.load(text_vectors()), _tools()
    shape = UmapParameters(n_components=10, n_neighbors=30, min_dist=0.0)
    worked = run.preprocess(run.input_space(vectors), [shape], tools=tools)
    found = run.cluster(worked, HdbscanParameters(min_cluster_size=15, min_samples=5), tools=tools)
    return texts, vectors, found.labels


def packages() -> tuple[list[str], Vectors, npt.NDArray[np.int32]]:
    """Return paragraphs of packages' documentation, their vectors, and the group of each: k-means with 60."""
    from shoald.application import cluster_stages as run
    from shoald.domain.clustering.parameters import KmeansParameters

    vectors = np.load(package_vectors())
    texts = list(itertools.islice(package_paragraphs(), len(vectors)))
    found = run.cluster(run.input_space(vectors), KmeansParameters(n_clusters=60), tools=_tools())
    return texts, vectors, found.labels


def _tools() -> Any:
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.application.cluster_stages import ClusterTools

    arrays = ArrayLibraries().get("numpy")
    return ClusterTools(arrays=arrays, estimators=estimators_for(arrays))


def named(made: Callable[[], tuple[list[str], Vectors, npt.NDArray[np.int32]]], report: Report, title: str) -> None:
    """Name the groups and say how many of the names lie nearest to their own."""
    from shoald.adapters.embedders.local import LocalEmbedder
    from shoald.domain.labelling.keywords import name_groups

    texts, vectors, labels = made()
    centroids, groups = _groups(texts, vectors, labels)
    began = time.process_time()
    names = name_groups(groups)
    took = time.process_time() - began
    embedded = np.asarray(LocalEmbedder(threads=2).embed_passages([name.label for name in names]))
    shares = [_share(embedded @ centroids.T, seed) for seed in SEEDS]
    report.say(f"\n## {title}\n")
    among_all = _among_all(embedded @ centroids.T)
    report.say(
        f"{len(groups)} groups of {len(texts):,} texts, named in {took:.1f} s of processor time. A name lies nearest to"
        f" its own group among five: **{np.mean(shares):.1%}** (seeds {SEEDS[0]} to {SEEDS[-1]}:"
        f" {min(shares):.1%} to {max(shares):.1%}); among all {len(groups)}: {among_all:.1%}.\n"
    )
    report.head("texts", "name", "keywords", "summary")
    sizes = np.bincount(labels[labels >= 0])
    for at in np.argsort(-sizes, kind="stable")[:SHOWN].tolist():
        words = ", ".join(names[at].keywords).replace("|", " ")
        report.row(str(sizes[at]), names[at].label.replace("|", " "), words, str(names[at].summary).replace("|", " "))


def _groups(texts: Sequence[str], vectors: Vectors, labels: npt.NDArray[np.int32]) -> tuple[Vectors, list[list[str]]]:
    """Return the centroids, of unit length, and the texts of each group that lie nearest to them."""
    centroids, groups = [], []
    for group in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == group)
        middle = vectors[rows].mean(axis=0)
        centroids.append(middle / np.linalg.norm(middle))
        nearest = rows[np.argsort(-(vectors[rows] @ centroids[-1]), kind="stable")[:TEXTS_OF_A_GROUP]]
        groups.append([texts[row] for row in nearest.tolist()])
    return np.array(centroids), groups


def _share(similarities: npt.NDArray[Any], seed: int) -> float:
    """Return the share of names that are nearer to their own group than to four others that are drawn for each."""
    chosen, many = random.Random(seed), len(similarities)
    drawn = [chosen.sample([other for other in range(many) if other != own], OTHERS) for own in range(many)]
    return float(
        np.mean([similarities[own, own] > similarities[own, others].max() for own, others in enumerate(drawn)])
    )


def _among_all(similarities: npt.NDArray[Any]) -> float:
    return float(np.mean(similarities.argmax(axis=1) == np.arange(len(similarities))))


def many(report: Report) -> None:
    """Name ten thousand groups of two hundred texts, made one after another, and say what that took."""
    from shoald.domain.labelling.keywords import name_groups

    paragraphs = list(itertools.islice(package_paragraphs(), 5_000))

    def groups() -> Any:
        for at in range(MANY_GROUPS):
            yield random.Random(at).sample(paragraphs, TEXTS_OF_A_GROUP)

    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    names = name_groups(groups(), expected=MANY_GROUPS)
    took, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report.say(
        f"\n{len(names):,} groups of {TEXTS_OF_A_GROUP} paragraphs each: {took:.0f} s of processor time, "
        f"{1e6 * took / len(names) / TEXTS_OF_A_GROUP:.0f} µs a text, {(peak - before) / _MIB:.0f} MiB more."
    )


def main() -> None:
    """Print the shares and the names, and write them; `--many` is the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", action="store_true", help="ten thousand groups, for time and memory only")
    part = "many" if parser.parse_args().many else None
    report = Report("naming", "Names without a language model", part)
    if part:
        many(report)
        return
    named(demo, report, "The demo")
    named(packages, report, "Documentation of packages")

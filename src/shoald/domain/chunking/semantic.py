"""Cuts a text where its meaning jumps: between two sentences whose surroundings point in different directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from shoald.domain.chunking.parameters import check_names, choice, integer, number, refuse, text
from shoald.domain.chunking.sentences import sentence_spans
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.json_types import JsonObject

DEFAULT_THRESHOLD = 0.6
DEFAULT_PERCENTILE = 90.0
DEFAULT_WINDOW = 1
MOST_WINDOW = 100
_TOGETHER = 256
FIXED, PERCENTILE = "fixed", "percentile"

Embedding = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Texts to rows of unit length."""

FindEmbedding = Callable[[str | None, str | None], Embedding]
"""Finds what embeds by `embedding_provider` and `embedding_model_name`; raises `InvalidChunkerParams`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticSettings:
    """Where to cut.

    `fixed` cuts where the cosine falls below `threshold`, `percentile` at the jumps larger than that percentage of all
    of the text's. `window` sentences on each side are looked at together with each sentence.
    """

    threshold_type: str = FIXED
    threshold: float = DEFAULT_THRESHOLD
    percentile: float = DEFAULT_PERCENTILE
    window: int = DEFAULT_WINDOW


def semantic_chunker(params: JsonObject, find: FindEmbedding) -> Chunker:
    """Return the chunker for the documented parameters; raises `InvalidChunkerParams`."""
    names = ("embedding_provider", "embedding_model_name", "threshold", "threshold_type", "percentile_threshold")
    check_names(params, (*names, "window_size"))
    settings = SemanticSettings(
        threshold_type=choice(params, "threshold_type", FIXED, known=(FIXED, PERCENTILE)),
        threshold=number(params, "threshold", DEFAULT_THRESHOLD, between=(-1, 1)),
        percentile=number(params, "percentile_threshold", DEFAULT_PERCENTILE, between=(0, 100)),
        window=_window(params),
    )
    embed = find(text(params, "embedding_provider"), text(params, "embedding_model_name"))
    return lambda segment: semantic_spans(segment, settings, embed)


def _window(params: JsonObject) -> int:
    window = integer(params, "window_size", DEFAULT_WINDOW, at_least=0)
    if window > MOST_WINDOW:
        raise refuse("window_size", window, f"must be at most {MOST_WINDOW}")
    return window


def semantic_spans(segment: str, settings: SemanticSettings, embed: Embedding) -> Iterator[Span]:
    """Yield runs of sentences; memory is that of some hundred vectors."""
    sentences = list(sentence_spans(segment))
    if not sentences:
        return
    start = sentences[0][0]
    distances = _distances(segment, sentences, settings.window, embed)
    for jump in np.flatnonzero(distances > _limit(distances, settings)):
        yield start, sentences[jump][1]
        start = sentences[jump + 1][0]
    yield start, sentences[-1][1]


def _limit(distances: npt.NDArray[np.float64], settings: SemanticSettings) -> float:
    """Return the distance over which is cut."""
    if settings.threshold_type == FIXED or not len(distances):
        return 1.0 - settings.threshold
    return float(np.percentile(distances, settings.percentile))


def _distances(segment: str, sentences: Sequence[Span], window: int, embed: Embedding) -> npt.NDArray[np.float64]:
    """Return one less than the cosine for each pair of neighbouring sentences, (len(sentences) - 1,) float64."""
    last = len(sentences) - 1
    windows = (
        segment[sentences[max(0, at - window)][0] : sentences[min(last, at + window)][1]] for at in range(last + 1)
    )
    found, before = [], np.empty((0, 0), np.float64)
    while batch := list(islice(windows, _TOGETHER)):
        vectors = embed(batch).astype(np.float64)
        joined = np.vstack((before, vectors)) if len(before) else vectors
        found.append(1.0 - np.einsum("nd,nd->n", joined[:-1], joined[1:]))
        before = vectors[-1:]
    return np.concatenate(found)

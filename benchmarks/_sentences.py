"""Real text in large numbers: the sentences of the installed packages' documentation, as means of word vectors."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from benchmarks._clustering import _CACHE, _save, package_paragraphs

_WORD = re.compile(r"[a-z0-9]+")
_END = re.compile(r"(?<=[.!?:;])\s+")
_WORDS = 20_000
_RARE = 1e-3
"""A word that makes up this share of a text counts half (Arora, Liang and Ma 2017, section 3)."""


def sentence_vectors(n: int = 100_000, width: int = 256) -> Path:
    """Return the file of (n, width) unit rows, a sentence each.

    A whole language model would take half an hour for so many. So each of the commonest words goes through the bundled
    one alone, a sentence is the weighted mean of its words, and the widest principal axes are kept.
    """
    file = _CACHE / f"sentences-{n}-{width}.npy"
    if not file.exists():
        words = [_WORD.findall(text.lower()) for text in itertools.islice(package_sentences(), n)]
        _save(file, _narrowed(_means(words), width))
    return file


def package_sentences() -> Iterator[str]:
    """Yield the sentences of 30 to 600 characters, each once."""
    seen: set[str] = set()
    for paragraph in package_paragraphs():
        for sentence in _END.split(paragraph):
            if 30 < len(sentence) < 600 and sentence not in seen and len(_WORD.findall(sentence.lower())) > 3:
                seen.add(sentence)
                yield sentence


def _means(texts: list[list[str]]) -> npt.NDArray[np.float64]:
    from shoald.adapters.embedders.local import LocalEmbedder

    counts = Counter(itertools.chain.from_iterable(texts))
    known = {word: at for at, (word, _) in enumerate(counts.most_common(_WORDS))}
    share = np.array([counts[word] for word in known]) / counts.total()
    vectors = LocalEmbedder(threads=1).embed_passages(list(known)) * (_RARE / (_RARE + share))[:, None]
    rows = [[known[word] for word in text if word in known] or [0] for text in texts]
    bounds = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int64, count=int(bounds[-1]))
    bags = sparse.csr_matrix((np.ones(len(columns)), columns, bounds), shape=(len(texts), len(known)))
    return np.asarray(bags @ vectors) / np.diff(bounds)[:, None]


def _narrowed(rows: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float32]:
    rows = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(rows.T @ rows)
    rows = rows @ axes[:, ::-1][:, :width]
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float32)

"""The token vocabularies, from data that lies beside this module: nothing is fetched."""

from __future__ import annotations

import lzma
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np
import tiktoken

END_OF_TEXT = "<|endoftext|>"

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"

# How text is split before the vocabulary applies; the definitions that OpenAI publishes (see NOTICE).
_PATTERNS = {
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k_base": "|".join(
        (
            rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}",
            rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ),
}
_SIZES = {"cl100k_base": 100_256, "o200k_base": 199_998}
_END_OF_TEXT_TOKENS = {"cl100k_base": 100_257, "o200k_base": 199_999}

ENCODINGS = tuple(_SIZES)


def token_bytes(name: str) -> list[bytes]:
    """Return the bytes of each token of an encoding, in order of rank."""
    packed = resources.files("shoald.domain.chunking").joinpath("data", f"{name}.xz").read_bytes()
    data = lzma.decompress(packed)
    count = _SIZES[name]
    ends = np.cumsum(np.frombuffer(data[:count], dtype=np.uint8), dtype=np.int64) + count
    return [data[start:end] for start, end in pairwise([count, *ends.tolist()])]


@lru_cache(maxsize=len(_SIZES))
def encoding(name: str) -> tiktoken.Encoding:
    """Return one of `ENCODINGS`, built once in a process (0.2 to 0.5 s)."""
    return tiktoken.Encoding(
        name=name,
        pat_str=_PATTERNS[name],
        mergeable_ranks={token: rank for rank, token in enumerate(token_bytes(name))},
        special_tokens={END_OF_TEXT: _END_OF_TEXT_TOKENS[name]},
    )


@lru_cache(maxsize=len(_SIZES))
def token_lengths(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the number of bytes of each token, by rank."""
    packed = resources.files("shoald.domain.chunking").joinpath("data", f"{name}.xz").read_bytes()
    return np.frombuffer(lzma.decompress(packed), dtype=np.uint8, count=_SIZES[name]).astype(np.int64)


def encoding_of_model(model: str) -> str | None:
    """Return the encoding that a model uses, or None when it is unknown or its vocabulary is not carried.

    >>> encoding_of_model("gpt-4o"), encoding_of_model("text-embedding-3-small"), encoding_of_model("davinci")
    ('o200k_base', 'cl100k_base', None)
    """
    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None
    return name if name in ENCODINGS else None

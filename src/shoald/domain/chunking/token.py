"""Cuts a text into windows of tokens; a window begins and ends between characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.domain.chunking.encodings import ENCODINGS, encoding, encoding_of_model, token_lengths
from shoald.domain.chunking.parameters import check_names, refuse, size_and_overlap, text
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.json_types import JsonObject

DEFAULT_MODEL = "cl100k_base"
BLOCK_CHARACTERS = 50_000
CONTINUATION_MASK, CONTINUATION = 0xC0, 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """How to cut, in tokens of `encoding`."""

    size: int
    overlap: int
    encoding: str = DEFAULT_MODEL


def token_chunker(params: JsonObject) -> Chunker:
    """Return the chunker for `chunk_size`, `chunk_overlap`, `model_name`, `encoding_name`.

    `model_name` may name a model or an encoding; `encoding_name` wins. Raises `InvalidChunkerParams`.
    """
    check_names(params, ("chunk_size", "chunk_overlap", "model_name", "encoding_name"))
    size, overlap = size_and_overlap(params)
    settings = TokenSettings(size=size, overlap=overlap, encoding=_encoding_name(params))
    return lambda segment: token_spans(segment, settings)


def _encoding_name(params: JsonObject) -> str:
    known = ", ".join(ENCODINGS)
    chosen = text(params, "encoding_name")
    if chosen is not None:
        if chosen not in ENCODINGS:
            raise refuse("encoding_name", chosen, f"names no encoding that is known here ({known})")
        return chosen
    model = text(params, "model_name") or DEFAULT_MODEL
    found = model if model in ENCODINGS else encoding_of_model(model)
    if found is None:
        raise refuse("model_name", model, f"names neither an encoding that is known here ({known}) nor a model of one")
    return found


def token_spans(segment: str, settings: TokenSettings) -> Iterator[Span]:
    """Yield windows of `size` tokens, each beginning `size - overlap` tokens after the one before.

    What looks like a special token is text. A border within a character moves before it, so a window may hold up
    to three more tokens, those that begin such a character. Blank windows are yielded, empty ones are not.
    """
    name = settings.encoding
    tokens = _tokens(segment, name)
    if not len(tokens):
        return
    step = settings.size - settings.overlap
    count = 1 + max(0, -(-(len(tokens) - settings.size) // step))
    first = np.arange(count, dtype=np.int64) * step
    last = np.minimum(first + settings.size, len(tokens))
    ends = np.concatenate(([0], np.cumsum(token_lengths(name)[tokens])))
    starts, stops = _characters(segment, ends[np.concatenate((first, last))]).reshape(2, -1).tolist()
    for start, stop in zip(starts, stops, strict=True):
        if start < stop:
            yield start, stop


def _tokens(segment: str, name: str) -> npt.NDArray[np.uint32]:
    vocabulary = encoding(name)
    try:
        return vocabulary.encode_to_numpy(segment, disallowed_special=())
    except ValueError:
        # the engine's pattern runs out of stack on hundreds of thousands of blanks in a row: go block by block
        blocks = range(0, len(segment), BLOCK_CHARACTERS)
        return np.concatenate(
            [vocabulary.encode_to_numpy(segment[at : at + BLOCK_CHARACTERS], disallowed_special=()) for at in blocks]
        )


def _characters(segment: str, byte_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each offset in UTF-8 the character that it lies before or in."""
    if segment.isascii():
        return byte_offsets
    data = np.frombuffer(segment.encode(), dtype=np.uint8)
    beginnings = np.flatnonzero((data & CONTINUATION_MASK) != CONTINUATION)
    at_end = byte_offsets == len(data)
    return np.where(at_end, len(segment), np.searchsorted(beginnings, byte_offsets, side="right") - 1)

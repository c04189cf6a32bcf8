"""What a chunker gives: where a piece of a text begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Span = tuple[int, int]
"""`text[start:end]`, counted in characters: a chunk is always a verbatim piece of its segment."""

Chunker = Callable[[str], Iterator[Span]]
"""Yields the spans of one text, in order of their start."""


class TableSpan(tuple[int, int]):
    """A span that holds a Markdown table, whatever its segment is: only one chunker tells kinds of text apart."""

    __slots__ = ()

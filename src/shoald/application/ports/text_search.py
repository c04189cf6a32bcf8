"""Searching the texts of a set by regular expressions and by likeness, and the files that this is done with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]
Write = Callable[[bytes], object]


class UnusablePattern(ValueError):  # noqa: N818 - the pattern is unusable; nothing went wrong
    """The regular expression is wrong, or takes too long; the text says which."""


class QueryTooLong(ValueError):  # noqa: N818 - nothing went wrong
    """Comparing the query with all texts takes too long; the text says how long."""


class TextPattern(Protocol):
    """One regular expression, read; it does not regard case unless it says so."""

    def spans(self, text: str, *, most: int) -> Sequence[tuple[int, int]]:
        """Return start and end of the first matches in a text, in characters; none when finding them takes too long."""
        ...


class TextFile(Protocol):
    """The texts of one set, mapped into memory; they are searched on the calling thread, which holds no lock of
    the interpreter meanwhile.
    """

    def matching(self, pattern: TextPattern, *, allowed: Positions | None = None) -> Positions:
        """Return the ascending positions of texts that a pattern matches somewhere, of `allowed` ones when given.

        Linear in the texts where the pattern's engine is; raises `UnusablePattern` for one that takes too long.
        """
        ...

    def matching_in_turn(self, pattern: TextPattern, *, allowed: Positions | None = None) -> Iterator[Positions]:
        """Yield what `matching` returns in parts, ascending, as they are found; a part may be empty.

        Time in which the caller is not waiting for the next part does not count. Raises `UnusablePattern`.
        """
        ...

    def alike(self, query: str, *, threshold: int, allowed: Positions | None = None) -> tuple[Positions, Scores]:
        """Return ascending positions and the scores of texts with a passage like the query, case ignored.

        The score is the partial ratio: 0 to 100, at least `threshold`; an empty query is like nothing. Raises
        `QueryTooLong`.
        """
        ...


class TextWriter(Protocol):
    """Takes the texts of a set in order."""

    def add(self, texts: Sequence[str]) -> None:
        """Append texts."""
        ...


class TextSearch(Protocol):
    """Reads patterns, and writes and opens files."""

    def pattern(self, source: str, *, literal: bool = False) -> TextPattern:
        """Return a pattern, or that for a text as it stands; raises `UnusablePattern`."""
        ...

    def open_writer(self, write: Write) -> AbstractContextManager[TextWriter]:
        """Start a file of texts, which is whole when the block ends; memory is bounded by what `add` is given."""
        ...

    def open_texts(self, path: str) -> TextFile:
        """Map a file of texts; it may be removed afterwards. Raises `ValueError` for another file."""
        ...

    def write_arrays(self, arrays: Arrays, write: Write) -> None:
        """Write one-dimensional arrays as a file."""
        ...

    def open_arrays(self, path: str) -> Arrays:
        """Map a file of arrays, which may be removed afterwards. Raises `ValueError` for another file."""
        ...

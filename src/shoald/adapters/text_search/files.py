"""Files of texts and arrays in Arrow's format, mapped into memory and searched where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from shoald.adapters.text_search.likeness import Likeness
from shoald.adapters.text_search.patterns import LongLiteral, Pattern, literal_pattern
from shoald.application.ports.text_search import Arrays, Positions, Scores, TextPattern, Write

# the text as it is, in lower case, which likeness is measured on, and whether it is of ASCII alone
_SCHEMA = pa.schema(
    [("text", pa.large_string()), ("lower", pa.large_string()), ("is_ascii", pa.uint8())], metadata={"shoal": "texts 1"}
)
_ARRAYS = b"arrays 1"


class ArrowTextSearch:
    """`TextSearch` over Arrow files."""

    def pattern(self, source: str, *, literal: bool = False) -> Pattern | LongLiteral:
        """Read a pattern."""
        return literal_pattern(source) if literal else Pattern(source)

    @contextmanager
    def open_writer(self, write: Write) -> Iterator[ArrowTextWriter]:
        """Start a file."""
        with pa.ipc.new_file(pa.PythonFile(_Sink(write), mode="w"), _SCHEMA) as file:
            yield ArrowTextWriter(file)

    def open_texts(self, path: str) -> ArrowTextFile:
        """Map a file."""
        return ArrowTextFile(_opened(path, _SCHEMA.metadata[b"shoal"]))

    def write_arrays(self, arrays: Arrays, write: Write) -> None:
        """Write each array as the one row of a column."""
        columns = {name: _as_row(array) for name, array in arrays.items()}
        batch = pa.record_batch(columns).replace_schema_metadata({"shoal": _ARRAYS})
        with pa.ipc.new_file(pa.PythonFile(_Sink(write), mode="w"), batch.schema) as file:
            file.write_batch(batch)

    def open_arrays(self, path: str) -> Mapping[str, Any]:
        """Map a file."""
        batch = _opened(path, _ARRAYS).get_batch(0)
        return {name: _of_row(batch.column(name)) for name in batch.schema.names}


class ArrowTextWriter:
    """`TextWriter` of one file."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def add(self, texts: Sequence[str]) -> None:
        """Write a batch."""
        lower = [text.lower() for text in texts]
        is_ascii = pa.array([int(text.isascii()) for text in texts], pa.uint8())
        columns = [pa.array(texts, pa.large_string()), pa.array(lower, pa.large_string()), is_ascii]
        self._file.write_batch(pa.record_batch(columns, schema=_SCHEMA))


class ArrowTextFile:
    """`TextFile` of one file."""

    def __init__(self, file: Any) -> None:
        self._batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        self._firsts = np.concatenate([[0], np.cumsum([len(batch) for batch in self._batches], dtype=np.int64)])

    def matching(self, pattern: TextPattern, *, allowed: Positions | None = None) -> Positions:
        """Search batch by batch."""
        return np.concatenate([np.zeros(0, np.int64), *self.matching_in_turn(pattern, allowed=allowed)])

    def matching_in_turn(self, pattern: TextPattern, *, allowed: Positions | None = None) -> Iterator[Positions]:
        """Search a batch whenever one is asked for."""
        if not isinstance(pattern, Pattern | LongLiteral):
            raise TypeError(type(pattern))
        parts = self._parts(["text", "is_ascii"], allowed)
        return pattern.matching((at, part.column("text"), part.column("is_ascii").to_numpy() > 0) for at, part in parts)

    def alike(self, query: str, *, threshold: int, allowed: Positions | None = None) -> tuple[Positions, Scores]:
        """Compare batch by batch."""
        found, scores = [np.zeros(0, np.int64)], [np.zeros(0)]
        likeness = Likeness(query.lower(), threshold)
        for positions, part in self._parts(["lower"], allowed if query.strip() else np.zeros(0, np.int64)):
            ratios = likeness.of(part.column("lower").to_pylist())
            reached = ratios >= threshold
            found.append(positions[reached])
            scores.append(ratios[reached])
        return np.concatenate(found), np.concatenate(scores)

    def _parts(self, columns: Sequence[str], allowed: Positions | None) -> Iterator[tuple[Positions, pa.RecordBatch]]:
        """Yield positions and rows, batch by batch, of those that are allowed."""
        for first, whole in zip(self._firsts[:-1], self._batches, strict=True):
            batch = whole.select(columns)
            if allowed is None:
                yield np.arange(first, first + len(batch)), batch
                continue
            start, end = np.searchsorted(allowed, [first, first + len(batch)])
            if end > start:
                wanted = allowed[start:end]
                yield wanted, batch.take(pa.array(wanted - first))


class _Sink:
    """What Arrow needs of a file that is written from front to back."""

    closed = False

    def __init__(self, write: Write) -> None:
        self._write = write
        self._at = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._write(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        pass

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def _opened(path: str, kind: bytes) -> Any:
    try:
        file = pa.ipc.open_file(pa.memory_map(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"this is no file of texts or arrays: {error}") from error
    if (file.schema.metadata or {}).get(b"shoal") != kind:
        raise ValueError("this is no file of this version")
    return file


def _as_row(array: Any) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array([0, len(array)], pa.int64()), pa.array(array))


def _of_row(column: pa.Array) -> Any:
    return column.values.to_numpy(zero_copy_only=True)

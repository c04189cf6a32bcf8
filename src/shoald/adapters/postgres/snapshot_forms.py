"""What a snapshot is made of: vectors go in as they are read, files of arrays in the order of the ids come out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shoald.adapters.postgres.vector_reading import VectorReader
from shoald.domain.ragged_arrays import bounds_of, entries_of
from shoald.domain.vocabulary import VectorKind

BLOCK_ROWS = 16_384
_HASH_BLOCK = 16 << 20

Draft = Callable[[str], Path]
Step = Callable[[float], None]
IDS = ".ids.npy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Files in the making, by the ends of the names that they will have, the hash of what they hold, and its shape."""

    sha256: str
    revision: int
    files: Mapping[str, Path]
    about: Mapping[str, int]


class Form(Protocol):
    """One way in which vectors are kept."""

    @property
    def ends(self) -> tuple[str, ...]:
        """The ends of the names of its files."""
        ...

    def take(self, reader: VectorReader, collection_id: str, vector_name: str, draft: Draft, step: Step) -> Taken:
        """Read all vectors into files that `draft` names."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseForm:
    """(n, dimension) float32 in one file; multi-vectors are pooled."""

    dimension: int
    kind: str = VectorKind.DENSE

    ends = (IDS, ".npy")

    def take(self, reader: VectorReader, collection_id: str, vector_name: str, draft: Draft, step: Step) -> Taken:
        """Read all vectors; what was read may be published as it is when it is whole and in order."""
        made: list[npt.NDArray[np.float32]] = []

        def allocate(rows: int) -> npt.NDArray[np.float32]:
            made.append(new_array(draft("a.npy"), (rows, self.dimension), "<f4"))
            return made[0]

        is_multi = self.kind == VectorKind.MULTI_VECTOR
        ids, revision = reader.read(collection_id, vector_name, allocate, step, is_multi=is_multi)
        order = np.argsort(ids, kind="stable")
        ids = np.ascontiguousarray(ids[order])
        is_ordered = bool(np.array_equal(order, np.arange(len(made[0]))))
        vectors = made[0] if is_ordered else _permuted(made[0], order, draft("b.npy"))
        return Taken(
            sha256=_dense_hash(ids, vectors),
            revision=revision,
            files={IDS: _saved(ids, draft("ids.npy")), ".npy": draft("a.npy") if is_ordered else draft("b.npy")},
            about={"rows": len(ids), "dimension": self.dimension},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseForm:
    """Terms of all rows one after another in one file, where each row begins in another."""

    ends = (IDS, ".bounds.npy", ".terms.npy")

    def take(self, reader: VectorReader, collection_id: str, vector_name: str, draft: Draft, step: Step) -> Taken:
        """Read all terms and bring their rows into order."""
        made: list[npt.NDArray[np.int32]] = []

        def allocate(terms: int) -> npt.NDArray[np.int32]:
            made.append(new_array(draft("a.npy"), (terms, 2), "<i4"))
            return made[0]

        read = reader.read_terms(collection_id, vector_name, allocate, step)
        order = np.argsort(read.ids, kind="stable")
        ids = np.ascontiguousarray(read.ids[order])
        terms = _permuted_terms(made[0], bounds_of(read.lengths), order, draft("b.npy"))
        bounds = bounds_of(read.lengths[order])
        return Taken(
            sha256=_sparse_hash(ids, bounds, terms),
            revision=read.revision,
            files={
                IDS: _saved(ids, draft("ids.npy")),
                ".bounds.npy": _saved(bounds, draft("bounds.npy")),
                ".terms.npy": draft("b.npy"),
            },
            about={"rows": len(ids), "terms": len(terms)},
        )


def new_array(path: Path, shape: tuple[int, int], dtype: str) -> Any:
    """Make a file that is an array; its room is taken at once, so that a full disk is an error and no signal."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, path.stat().st_size))
    return array


def _saved(array: npt.NDArray[Any], path: Path) -> Path:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    return path


def _permuted(vectors: npt.NDArray[np.float32], order: npt.NDArray[np.int64], path: Path) -> npt.NDArray[np.float32]:
    out: npt.NDArray[np.float32] = new_array(path, (len(order), vectors.shape[1]), "<f4")
    for start in range(0, len(order), BLOCK_ROWS):
        out[start : start + BLOCK_ROWS] = vectors[order[start : start + BLOCK_ROWS]]
    return out


def _permuted_terms(
    terms: npt.NDArray[np.int32], bounds: npt.NDArray[np.int64], order: npt.NDArray[np.int64], path: Path
) -> npt.NDArray[np.int32]:
    out: npt.NDArray[np.int32] = new_array(path, (len(terms), 2), "<i4")
    done = 0
    for start in range(0, len(order), BLOCK_ROWS):
        entries, _ = entries_of(bounds, order[start : start + BLOCK_ROWS])
        out[done : done + len(entries)] = terms[entries]
        done += len(entries)
    return out


def _dense_hash(ids: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> str:
    """Hash ids and vectors; the width that ids happen to be stored in does not count."""
    digest = _hashed_ids(vectors.shape, ids)
    rows = max(1, _HASH_BLOCK // max(1, vectors.shape[1] * 4))
    for start in range(0, len(vectors), rows):
        digest.update(np.ascontiguousarray(vectors[start : start + rows]).data)
    return str(digest.hexdigest())


def _sparse_hash(ids: npt.NDArray[np.bytes_], bounds: npt.NDArray[np.int64], terms: npt.NDArray[np.int32]) -> str:
    digest = _hashed_ids(("sparse", *terms.shape), ids)
    digest.update(bounds.tobytes())
    for start in range(0, len(terms), _HASH_BLOCK // 8):
        digest.update(np.ascontiguousarray(terms[start : start + _HASH_BLOCK // 8]).data)
    return str(digest.hexdigest())


def _hashed_ids(shape: tuple[Any, ...], ids: npt.NDArray[np.bytes_]) -> Any:
    digest = hashlib.sha256(repr(shape).encode())
    for start in range(0, len(ids), BLOCK_ROWS):
        digest.update(b"\0".join(ids[start : start + BLOCK_ROWS].tolist()) + b"\0")
    return digest

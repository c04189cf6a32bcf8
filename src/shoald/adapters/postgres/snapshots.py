"""Vectors of a collection go in once, files that every later run maps into memory come out, named by their content.

`<folder>/<sha256>.npy` and `<sha256>.ids.npy` hold the arrays; `<folder>/revisions/<collection>-<vector>` says which
revision has which content. All of it can be thrown away and made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.postgres.vector_reading import VectorReader
from shoald.application.ports.vector_snapshots import VectorSnapshot
from shoald.domain.failures import ArtifactNotFound, StorageFull

_BLOCK_ROWS = 16_384
_HASH_BLOCK = 16 << 20


class SnapshotFiles:
    """`VectorSnapshots` over a folder that all workers of a machine share."""

    def __init__(self, folder: Path, reader: VectorReader, *, keep_seconds: float = 14 * 24 * 3600.0) -> None:
        self._folder = folder
        self._revisions = folder / "revisions"
        self._reader = reader
        self._keep_seconds = keep_seconds

    def open(
        self,
        collection_id: str,
        vector_name: str,
        *,
        dimension: int,
        revision: int,
        step: Callable[[float], None] = lambda _: None,
        content: str | None = None,
    ) -> VectorSnapshot:
        """Return the vectors as of this revision or a newer one, from files when they are there."""
        if content is not None and self._holds(content):
            known = {"sha256": content, "revision": revision}
            return self._mapped(collection_id, vector_name, known, was_read=False)
        newest = self._newest(collection_id, vector_name, dimension=dimension, revision=revision, step=step)
        if content is not None and newest.sha256 != content:
            message = "Documents were written since the run, and the vectors that it read are kept no longer."
            raise ArtifactNotFound(message, detail={"collection_id": collection_id, "content_sha256": content})
        return newest

    def _holds(self, content: str) -> bool:
        return all((self._folder / f"{content}{end}").exists() for end in (".npy", ".ids.npy"))

    def _newest(
        self,
        collection_id: str,
        vector_name: str,
        *,
        dimension: int,
        revision: int,
        step: Callable[[float], None],
    ) -> VectorSnapshot:
        note = self._note(collection_id, vector_name)
        known = _read_note(note)
        was_read = known is None or known["revision"] < revision
        if known is None or was_read:
            known = self._take(collection_id, vector_name, dimension, step)
            _write_note(note, known)
        try:
            return self._mapped(collection_id, vector_name, known, was_read=was_read)
        except FileNotFoundError:
            known = self._take(collection_id, vector_name, dimension, step)
            _write_note(note, known)
            return self._mapped(collection_id, vector_name, known, was_read=True)

    def _note(self, collection_id: str, vector_name: str) -> Path:
        word = hashlib.sha256(vector_name.encode()).hexdigest()[:16]
        return self._revisions / f"{collection_id}-{word}.json"

    def _mapped(self, collection_id: str, vector_name: str, known: dict[str, Any], *, was_read: bool) -> VectorSnapshot:
        sha256 = known["sha256"]
        ids_path, vectors_path = self._folder / f"{sha256}.ids.npy", self._folder / f"{sha256}.npy"
        for path in (ids_path, vectors_path):
            os.utime(path)  # the clean-up goes by the last use
        return VectorSnapshot(
            collection_id=collection_id,
            vector_name=vector_name,
            revision=known["revision"],
            sha256=sha256,
            ids=np.load(ids_path, mmap_mode="r", allow_pickle=False),
            vectors=np.load(vectors_path, mmap_mode="r", allow_pickle=False),
            was_read=was_read,
        )

    def _take(
        self, collection_id: str, vector_name: str, dimension: int, step: Callable[[float], None]
    ) -> dict[str, Any]:
        """Read everything, bring it into the order of the ids, and publish it under the hash of its content."""
        self._revisions.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        with self._drafts() as (as_read, in_order):
            made: list[npt.NDArray[np.float32]] = []

            def allocate(rows: int) -> npt.NDArray[np.float32]:
                made.append(_new_array(as_read, (rows, dimension)))
                return made[0]

            ids, revision = self._reader.read(collection_id, vector_name, allocate, step)
            order = np.argsort(ids, kind="stable")
            ids = np.ascontiguousarray(ids[order])
            # what was read may be published as it is when it is whole and in order
            is_ordered = bool(np.array_equal(order, np.arange(len(made[0]))))
            vectors = made[0] if is_ordered else _permuted(made[0], order, in_order)
            sha256 = _content_hash(ids, vectors)
            self._publish(sha256, ids, as_read if is_ordered else in_order)
        return {"revision": revision, "sha256": sha256, "rows": len(ids), "dimension": dimension}

    def _publish(self, sha256: str, ids: npt.NDArray[np.bytes_], vectors: Path) -> None:
        draft = vectors.with_suffix(".ids.npy")
        with draft.open("wb") as file:
            np.save(file, ids, allow_pickle=False)
        draft.rename(self._folder / f"{sha256}.ids.npy")
        vectors.rename(self._folder / f"{sha256}.npy")

    @contextlib.contextmanager
    def _drafts(self) -> Iterator[tuple[Path, Path]]:
        """Lend two names for files in the making; nothing of them stays when the block fails."""
        word = f".draft-{secrets.token_hex(8)}"
        paths = (self._folder / f"{word}.a.npy", self._folder / f"{word}.b.npy")
        try:
            yield paths
        except OSError as error:
            raise StorageFull(f"There is no room for a snapshot of vectors: {error.strerror}.") from error
        finally:
            for path in self._folder.glob(f"{word}.*"):
                path.unlink(missing_ok=True)

    def _clean_up(self) -> None:
        """Remove arrays that nobody used for so long; whoever has them mapped keeps them until they are done."""
        oldest = time.time() - self._keep_seconds
        for path in self._folder.glob("*.npy"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _new_array(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Make a file that is an array; its room is taken at once, so that a full disk is an error and no signal."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype="<f4", shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, path.stat().st_size))
    return array


def _permuted(vectors: npt.NDArray[np.float32], order: npt.NDArray[np.int64], path: Path) -> npt.NDArray[np.float32]:
    out = _new_array(path, (len(order), vectors.shape[1]))
    for start in range(0, len(order), _BLOCK_ROWS):
        out[start : start + _BLOCK_ROWS] = vectors[order[start : start + _BLOCK_ROWS]]
    return out


def _content_hash(ids: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> str:
    """Hash ids and vectors; the width that ids happen to be stored in does not count."""
    digest = hashlib.sha256(repr(vectors.shape).encode())
    for start in range(0, len(ids), _BLOCK_ROWS):
        digest.update(b"\0".join(ids[start : start + _BLOCK_ROWS].tolist()) + b"\0")
    rows = max(1, _HASH_BLOCK // max(1, vectors.shape[1] * 4))
    for start in range(0, len(vectors), rows):
        digest.update(np.ascontiguousarray(vectors[start : start + rows]).data)
    return digest.hexdigest()


def _read_note(path: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return note


def _write_note(path: Path, note: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.write_text(json.dumps(note))
    draft.rename(path)

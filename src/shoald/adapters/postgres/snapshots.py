"""Vectors of a collection go in once, files that every later run maps into memory come out, named by their content.

`<folder>/<sha256>.npy` and `<sha256>.ids.npy` hold the arrays (sparse ones: `.terms.npy` and `.bounds.npy`);
`<folder>/revisions/<collection>-<vector>` says which revision has which content. All of it can be thrown away and made
again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shoald.adapters.postgres.snapshot_forms import IDS, DenseForm, Draft, Form, SparseForm
from shoald.adapters.postgres.vector_reading import VectorReader
from shoald.application.ports.vector_snapshots import SparseSnapshot, VectorSnapshot
from shoald.domain.failures import ArtifactNotFound, StorageFull
from shoald.domain.vocabulary import VectorKind

Step = Callable[[float], None]


def _no_step(_: float) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which vectors are opened, in which form, as of which revision, or with which content."""

    collection_id: str
    vector_name: str
    form: Form
    revision: int
    step: Step
    content: str | None


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
        step: Step = _no_step,
        content: str | None = None,
    ) -> VectorSnapshot:
        """Return the vectors as of this revision or a newer one, from files when they are there."""
        form = DenseForm(dimension=dimension)
        return self._dense(_Wanted(collection_id, vector_name, form, revision, step, content))

    def open_pooled(
        self,
        collection_id: str,
        vector_name: str,
        *,
        dimension: int,
        revision: int,
        step: Step = _no_step,
        content: str | None = None,
    ) -> VectorSnapshot:
        """Return multi-vectors likewise."""
        form = DenseForm(dimension=dimension, kind=VectorKind.MULTI_VECTOR)
        return self._dense(_Wanted(collection_id, vector_name, form, revision, step, content))

    def _dense(self, wanted: _Wanted) -> VectorSnapshot:
        about, arrays = self._opened(wanted)
        return VectorSnapshot(**about, ids=arrays[IDS], vectors=arrays[".npy"])

    def open_sparse(
        self,
        collection_id: str,
        vector_name: str,
        *,
        revision: int,
        step: Step = _no_step,
        content: str | None = None,
    ) -> SparseSnapshot:
        """Return sparse vectors likewise."""
        wanted = _Wanted(collection_id, vector_name, SparseForm(), revision, step, content)
        about, arrays = self._opened(wanted)
        return SparseSnapshot(**about, ids=arrays[IDS], bounds=arrays[".bounds.npy"], terms=arrays[".terms.npy"])

    def _opened(self, wanted: _Wanted) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a snapshot is, and its arrays, mapped, by the ends of their names."""
        content = wanted.content
        if content is not None and self._holds(content, wanted.form):
            return self._mapped(wanted, {"sha256": content, "revision": wanted.revision}, was_read=False)
        about, arrays = self._newest(wanted)
        if content is not None and about["sha256"] != content:
            message = "Documents were written since the run, and the vectors that it read are kept no longer."
            raise ArtifactNotFound(message, detail={"collection_id": wanted.collection_id, "content_sha256": content})
        return about, arrays

    def _holds(self, content: str, form: Form) -> bool:
        return all((self._folder / f"{content}{end}").exists() for end in form.ends)

    def _newest(self, wanted: _Wanted) -> tuple[dict[str, Any], dict[str, Any]]:
        note = self._note(wanted)
        known = _read_note(note)
        was_read = known is None or known["revision"] < wanted.revision
        if known is None or was_read:
            known = self._take(wanted)
            _write_note(note, known)
        try:
            return self._mapped(wanted, known, was_read=was_read)
        except FileNotFoundError:
            known = self._take(wanted)
            _write_note(note, known)
            return self._mapped(wanted, known, was_read=True)

    def _note(self, wanted: _Wanted) -> Path:
        word = hashlib.sha256(wanted.vector_name.encode()).hexdigest()[:16]
        return self._revisions / f"{wanted.collection_id}-{word}.json"

    def _mapped(
        self, wanted: _Wanted, known: dict[str, Any], *, was_read: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        paths = {end: self._folder / f"{known['sha256']}{end}" for end in wanted.form.ends}
        for path in paths.values():
            os.utime(path)  # the clean-up goes by the last use
        about = {
            "collection_id": wanted.collection_id,
            "vector_name": wanted.vector_name,
            "revision": known["revision"],
            "sha256": known["sha256"],
            "was_read": was_read,
        }
        return about, {end: np.load(path, mmap_mode="r", allow_pickle=False) for end, path in paths.items()}

    def _take(self, wanted: _Wanted) -> dict[str, Any]:
        """Read everything, bring it into the order of the ids, and publish it under the hash of its content."""
        self._revisions.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        with self._drafts() as draft:
            taken = wanted.form.take(self._reader, wanted.collection_id, wanted.vector_name, draft, wanted.step)
            for end, path in taken.files.items():
                path.rename(self._folder / f"{taken.sha256}{end}")
        return {"revision": taken.revision, "sha256": taken.sha256, **taken.about}

    @contextlib.contextmanager
    def _drafts(self) -> Iterator[Draft]:
        """Lend names for files in the making; nothing of them stays when the block fails."""
        word = f".draft-{secrets.token_hex(8)}"
        try:
            yield lambda end: self._folder / f"{word}.{end}"
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

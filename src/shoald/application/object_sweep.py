"""Removes what nothing names from the object store: what attempts left that were killed, fenced or canceled, uploads
that were not stored, what was given to jobs that have ended.

Uploads lie under the hash of their content, and the same bytes may be on their way again: one goes only while nobody
can store a version that names it (`ObjectReferenceRepository.hold` and `seize`).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from shoald.application.ports.clock import Clock
from shoald.application.ports.object_store import ObjectStore, StoredObject
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork

log = logging.getLogger(__name__)

UPLOADS = "blobs"
"""The folder of objects that lie under the hash of their content."""
JOB_INPUTS = "job_inputs"
"""The folder of what is given to single jobs beside their payload."""
EXPORTS = "exports"
"""The folder of what people asked to take away."""
_BATCH = 1_000

Naming = Callable[[UnitOfWork, str, list[str]], set[str]]


def _by_builds(uow: UnitOfWork, build_id: str, keys: list[str]) -> set[str]:
    return uow.object_references.of_builds(build_id, keys)


def _by_keyword_index(uow: UnitOfWork, set_id: str, keys: list[str]) -> set[str]:
    return uow.object_references.of_keyword_index(set_id, keys)


def _by_evaluation(uow: UnitOfWork, evaluation_id: str, keys: list[str]) -> set[str]:
    return uow.object_references.of_evaluation(evaluation_id, keys)


def _by_runs(uow: UnitOfWork, run_id: str, keys: list[str]) -> set[str]:
    return uow.object_references.of_runs(run_id, keys)


def _by_nobody(uow: UnitOfWork, owner: str, keys: list[str]) -> set[str]:  # noqa: ARG001 - whoever asked has had an hour
    return set()


# keys of the form <folder>/<owner's id>/<attempt>/…
_FOLDERS: dict[str, Naming] = {
    "builds": _by_builds,
    "index_builds": _by_builds,
    "evaluations": _by_evaluation,
    EXPORTS: _by_nobody,
    "keyword_indexes": _by_keyword_index,
    "runs": _by_runs,
}


@dataclass(frozen=True, kw_only=True)
class ObjectSweep:
    """Looks through the attempts' folders; `older_than` must be longer than a backup takes."""

    open_unit_of_work: OpenUnitOfWork
    objects: ObjectStore
    clock: Clock
    older_than: timedelta = timedelta(hours=24)

    def run_pass(self) -> int:
        """Remove every old object that nothing names, and say how many."""
        removed = 0
        for folder, naming in _FOLDERS.items():
            for owner, group in itertools.groupby(sorted(self._old_keys(folder)), key=_owner):
                removed += self._remove_unnamed(owner, list(group), naming)
        return removed + sum(self._remove_upload(key) for key in self._unnamed_uploads())

    def _unnamed_uploads(self) -> Iterator[str]:
        keys = itertools.chain.from_iterable(self._old_keys(folder) for folder in (UPLOADS, JOB_INPUTS))
        while batch := list(itertools.islice(keys, _BATCH)):
            uris = {self.objects.uri(key): key for key in batch}
            with self.open_unit_of_work() as uow:
                named = uow.object_references.of_uploads(list(uris))
            yield from (key for uri, key in uris.items() if uri not in named)

    def _remove_upload(self, key: str) -> bool:
        with self.open_unit_of_work() as uow:
            can_go = uow.object_references.seize(key, self.objects.uri(key))
            if can_go:
                self.objects.delete(key)
                log.info("removed %s, which nothing names", key)
        return can_go

    def _old_keys(self, folder: str) -> Iterator[str]:
        return (found.key for found in self.objects.list(folder) if self._is_old(found))

    def _is_old(self, found: StoredObject) -> bool:
        return found.modified_at is not None and found.modified_at < self.clock.now() - self.older_than

    def _remove_unnamed(self, owner: str, keys: Iterable[str], naming: Naming) -> int:
        keys = list(keys)
        with self.open_unit_of_work() as uow:
            unnamed = sorted(set(keys) - naming(uow, owner, keys))
        for key in unnamed:
            self.objects.delete(key)
            log.info("removed %s, which nothing names", key)
        return len(unnamed)


def _owner(key: str) -> str:
    return key.split("/")[1]

"""Brings files to the server, several at a time: what it has is not sent again, a bad file stops none of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from shoald.cli.local_files import LocalFile
from shoald.cli.progress import Report
from shoald.cli.rest_client import RestClient, RestError

_PARALLEL = 8
_ASKED_TOGETHER = 1000
_ATTEMPTS = 5
_TOO_MANY, _SERVER_ERRORS, _UNAVAILABLE = 429, 500, 503

Known = Mapping[tuple[str, str], Mapping[str, Any]]
"""What the project holds, by hash and file name."""


@dataclass(slots=True)
class Taken:
    """The segment sets of the files; `fresh` counts those that were sent or read now, `failures` has the bad ones."""

    segment_set_ids: list[str] = field(default_factory=list)
    fresh: int = 0
    fresh_bytes: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def reused(self) -> int:
        """How many were there already."""
        return len(self.segment_set_ids) - self.fresh


@dataclass(frozen=True, slots=True)
class _One:
    segment_set_id: str
    is_fresh: bool


def take_files(client: RestClient, project_id: str, files: Sequence[LocalFile], report: Report) -> Taken:
    """Upload and segment what the project does not hold yet.

    A file that cannot be read, here or by the server, is noted and left out; a server that does not answer ends the
    work with `RestError`.
    """
    taken = Taken()
    readable = list(_readable(files, taken))
    known = _known(client, project_id, readable)
    began = time.monotonic()
    for done, (file, outcome) in enumerate(_in_parallel(client, project_id, readable, known), 1):
        _note(taken, file, outcome)
        pace = taken.fresh_bytes / 1e6 / max(time.monotonic() - began, 1e-3)
        report(done / len(readable), f"{done} of {len(readable)} files, {pace:.1f} MB/s")
    return taken


def _readable(files: Sequence[LocalFile], taken: Taken) -> Iterator[LocalFile]:
    """Yield each content once for each name it has; a file that cannot be opened is noted."""
    seen: set[tuple[str, str]] = set()
    for file in files:
        try:
            key = (file.sha256, file.path.name)
        except OSError as error:
            taken.failures.append(f"{file.path}: {error.strerror}")
            continue
        if key not in seen:
            seen.add(key)
            yield file


def _known(client: RestClient, project_id: str, files: Sequence[LocalFile]) -> Known:
    hashes = sorted({file.sha256 for file in files})
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    for start in range(0, len(hashes), _ASKED_TOGETHER):
        asked = {"content_hashes": hashes[start : start + _ASKED_TOGETHER]}
        for found in client.post(f"/api/v1/projects/{project_id}/documents/find", asked)["contents"]:
            known.setdefault((found["content_hash"], found["filename"]), found)
    return known


def _in_parallel(
    client: RestClient, project_id: str, files: Sequence[LocalFile], known: Known
) -> Iterator[tuple[LocalFile, _One | str]]:
    """Yield each file with its outcome, as they end; only a few wait in the pool, so that Ctrl-C ends it soon."""
    waiting = iter(files)
    running: dict[Future[_One | str], LocalFile] = {}
    with ThreadPoolExecutor(_PARALLEL) as pool:

        def start(count: int) -> None:
            for file in islice(waiting, count):
                held = known.get((file.sha256, file.path.name), {})
                running[pool.submit(_one_file, client, project_id, file, held)] = file

        start(2 * _PARALLEL)
        try:
            while running:
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield running.pop(future), future.result()
                start(len(ended))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_file(client: RestClient, project_id: str, file: LocalFile, held: Mapping[str, Any]) -> _One | str:
    """Return the file's segment set, or what is wrong with the file."""
    if held.get("segment_set_version_id") and held["loader_type"] == file.loader_type:
        return _One(str(held["segment_set_version_id"]), is_fresh=False)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _One(_segmented(client, project_id, file, held), is_fresh=True)
        except OSError as error:
            return str(error.strerror)
        except RestError as error:
            if _is_the_files_fault(error):
                return str(error)
            if error.status not in {_TOO_MANY, _UNAVAILABLE} or attempt == _ATTEMPTS:
                raise RestError(f"{file.path}: {error}", status=error.status) from error
            time.sleep(0.2 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _is_the_files_fault(error: RestError) -> bool:
    return error.status is not None and error.status < _SERVER_ERRORS and error.status != _TOO_MANY


def _segmented(client: RestClient, project_id: str, file: LocalFile, held: Mapping[str, Any]) -> str:
    version_id = held.get("document_version_id")
    if version_id is None:
        documents = f"/api/v1/projects/{project_id}/documents"
        answer = client.upload(documents, file.path, content_type=file.content_type)
        version_id = answer["document_version"]["version_id"]
    made = client.post_and_count(
        f"/api/v1/document_versions/{version_id}/segments", {"loader_type": file.loader_type}, set_key="segment_set"
    )
    return str(made["segment_set_version_id"])


def _note(taken: Taken, file: LocalFile, outcome: _One | str) -> None:
    if isinstance(outcome, str):
        taken.failures.append(f"{file.path}: {outcome}")
        return
    taken.segment_set_ids.append(outcome.segment_set_id)
    if outcome.is_fresh:
        taken.fresh += 1
        taken.fresh_bytes += file.size

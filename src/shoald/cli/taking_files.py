"""Brings files to the server, several at a time: what it has is not sent again, a bad file stops none of the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from shoald.cli.known_files import Held, KnownFiles, known_files
from shoald.cli.local_files import LocalFile
from shoald.cli.progress import Report
from shoald.cli.rest_client import RestClient, RestError

_PARALLEL = 8
_SMALL_BYTES = 256 * 1024
_SENT_TOGETHER, _BYTES_TOGETHER = 64, 4 * 1024 * 1024
_ATTEMPTS = 5
_TOO_MANY, _SERVER_ERRORS, _UNAVAILABLE = 429, 500, 503


@dataclass(slots=True)
class Taken:
    """The segment sets of the files by their paths; `fresh` counts those that were sent or read now, `changed` those of
    them whose bytes became another version of their document, `failures` has the bad ones. `known` is what was there.
    """

    segment_sets: dict[str, str] = field(default_factory=dict)
    known: KnownFiles = field(default_factory=KnownFiles)
    fresh: int = 0
    changed: int = 0
    fresh_bytes: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def segment_set_ids(self) -> list[str]:
        """The sets in the order of the paths."""
        return [self.segment_sets[path] for path in sorted(self.segment_sets)]

    @property
    def reused(self) -> int:
        """How many were there already."""
        return len(self.segment_sets) - self.fresh


@dataclass(frozen=True, slots=True)
class _One:
    segment_set_id: str
    is_fresh: bool
    is_changed: bool = False


Group = Sequence[LocalFile]
LoaderParams = Mapping[str, Mapping[str, Any]]
Outcome = tuple[LocalFile, _One | str]
_Sent = TypeVar("_Sent")


def take_files(
    client: RestClient,
    project_id: str,
    files: Sequence[LocalFile],
    report: Report,
    loader_params: LoaderParams = MappingProxyType({}),
) -> Taken:
    """Upload and segment what the project does not hold yet, small files many at a time.

    `loader_params` are those of each loader type; what is held already was read with those of its time.
    A file whose path has a document with other bytes becomes its next version. A file that cannot be read, here or by
    the server, is noted and left out; a server that does not answer ends the work with `RestError`.
    """
    taken = Taken()
    readable = list(_readable(files, taken))
    taken.known = known_files(client, project_id, readable)
    readable = list(_once(readable, taken.known))
    sender = _Sender(client, project_id, taken.known, loader_params)
    began, done = time.monotonic(), 0
    for outcomes in _in_parallel(sender, list(_groups(readable, sender))):
        for file, outcome in outcomes:
            _note(taken, file, outcome)
        done += len(outcomes)
        pace = taken.fresh_bytes / 1e6 / max(time.monotonic() - began, 1e-3)
        report(done / len(readable), f"{done} of {len(readable)} files, {pace:.1f} MB/s")
    return taken


def _readable(files: Sequence[LocalFile], taken: Taken) -> Iterator[LocalFile]:
    """Yield the files whose bytes can be read; others are noted."""
    for file in files:
        try:
            _ = file.sha256, file.size
        except OSError as error:
            taken.failures.append(f"{file.path}: {error.strerror}")
        else:
            yield file


def _once(files: Sequence[LocalFile], known: KnownFiles) -> Iterator[LocalFile]:
    """Yield each content once for each name it has, and whatever has a document of its own, which may have changed."""
    seen: set[tuple[str, str]] = set()
    for file in files:
        key = (file.sha256, file.name)
        if key not in seen or file.source_path in known.by_path:
            seen.add(key)
            yield file


def _groups(files: Sequence[LocalFile], sender: _Sender) -> Iterator[Group]:
    """Yield the files as they are sent: small ones that are new together, every other alone."""
    group: list[LocalFile] = []
    size = 0
    for file in files:
        if file.size > _SMALL_BYTES or sender.known.held(file).document_id is not None:
            yield [file]
            continue
        if len(group) == _SENT_TOGETHER or size + file.size > _BYTES_TOGETHER:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if group:
        yield group


def _in_parallel(sender: _Sender, groups: Sequence[Group]) -> Iterator[list[Outcome]]:
    """Yield what became of each group, as they end; only a few wait in the pool, so that Ctrl-C ends it soon."""
    waiting = iter(groups)
    running: set[Future[list[Outcome]]] = set()
    with ThreadPoolExecutor(_PARALLEL) as pool:

        def start(count: int) -> None:
            running.update(pool.submit(sender.send, group) for group in islice(waiting, count))

        start(2 * _PARALLEL)
        try:
            while running:
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    running.remove(future)
                    yield future.result()
                start(len(ended))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class _Sender:
    """Brings files into one project, of which `known` are there."""

    client: RestClient
    project_id: str
    known: KnownFiles
    loader_params: LoaderParams

    def send(self, group: Group) -> list[Outcome]:
        """Return for each file its segment set, or what is wrong with it."""
        if len(group) > 1:
            try:
                return _patiently(lambda: self._together(group), group[0])
            except RestError as error:
                if not _is_the_files_fault(error):
                    raise
        return [(file, self._alone(file)) for file in group]  # one of them is why the others were refused

    def _together(self, group: Group) -> list[Outcome]:
        outcomes: list[Outcome] = []
        parts: list[tuple[str, tuple[str | None, bytes | str, str | None]]] = []
        sent: list[LocalFile] = []
        for file in group:
            try:
                content = file.path.read_bytes()
            except OSError as error:
                outcomes.append((file, str(error.strerror)))
                continue
            parts.append(("loader_type", (None, file.loader_type, None)))
            parts.append(("loader_params_json", (None, json.dumps(self._params(file)), None)))
            parts.append(("source_path", (None, file.source_path, None)))
            parts.append(("file", (file.name, content, file.content_type)))
            sent.append(file)
        answer = self.client.post_form(f"/api/v1/projects/{self.project_id}/pipeline/files", parts) if sent else {}
        for file, made in zip(sent, answer.get("files", []), strict=True):
            set_id = made["segment_set_version_id"]
            problem = f"{made['error_code']}: {made['error_message']}"
            outcomes.append((file, _One(set_id, is_fresh=True) if set_id else problem))
        return outcomes

    def _alone(self, file: LocalFile) -> _One | str:
        held = self.known.held(file)
        if held.segment_set_id and held.loader_type == file.loader_type:
            return _One(held.segment_set_id, is_fresh=False)
        is_changed = held.document_id is not None and held.version_id is None
        try:
            version_id = held.version_id or _patiently(lambda: self._uploaded(file, held), file)
            segment_set_id = _patiently(lambda: self._segmented(file, version_id), file)
        except OSError as error:
            return str(error.strerror)
        except RestError as error:
            if _is_the_files_fault(error):
                return error.reason
            raise
        return _One(segment_set_id, is_fresh=True, is_changed=is_changed)

    def _uploaded(self, file: LocalFile, held: Held) -> str:
        """Upload a file as a document of its own, or as the next version of the one that it has."""
        place = f"/api/v1/projects/{self.project_id}/documents"
        if held.document_id is not None:
            place = f"/api/v1/documents/{held.document_id}/versions"
        fields = {"source_path": file.source_path}
        answer = self.client.upload(place, file.path, content_type=file.content_type, fields=fields)
        return str(answer["document_version"]["version_id"])

    def _segmented(self, file: LocalFile, version_id: str) -> str:
        segments = f"/api/v1/document_versions/{version_id}/segments"
        body = {"loader_type": file.loader_type, "loader_params": self._params(file)}
        made = self.client.post_and_count(segments, body, set_key="segment_set")
        return str(made["segment_set_version_id"])

    def _params(self, file: LocalFile) -> dict[str, Any]:
        return dict(self.loader_params.get(file.loader_type, {}))


def _patiently(send: Callable[[], _Sent], file: LocalFile) -> _Sent:
    """Send, and again when the server is busy; an error that is no file's fault names the file."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return send()
        except RestError as error:
            if _is_the_files_fault(error):
                raise
            if error.status not in {_TOO_MANY, _UNAVAILABLE} or attempt == _ATTEMPTS:
                raise RestError(f"{file.path}: {error}", status=error.status) from error
            time.sleep(0.2 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _is_the_files_fault(error: RestError) -> bool:
    return error.status is not None and error.status < _SERVER_ERRORS and error.status != _TOO_MANY


def _note(taken: Taken, file: LocalFile, outcome: _One | str) -> None:
    if isinstance(outcome, str):
        taken.failures.append(f"{file.path}: {outcome}")
        return
    taken.segment_sets[file.source_path] = outcome.segment_set_id
    if outcome.is_fresh:
        taken.fresh += 1
        taken.fresh_bytes += file.size
        taken.changed += outcome.is_changed

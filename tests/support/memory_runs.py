"""Whole cluster runs in a process of their own, and what each of their stages took of memory beside what was stated.

What counts is memory that the kernel cannot take back by itself: private pages. Mapped files are left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from shoald.worker.child_process import ALLOCATION
from support.memory_cases import MemoryCase

_WARM_ROWS = 2500
_POLL_SECONDS = 0.01
_CLUSTER = "clu_1"
_COLLECTION = "col_1"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class MemoryOutcome:
    """How a case ended: bytes stated and measured, of all and of each stage; why it was refused or failed.

    `is_mapped` says that the vectors were worked on in a mapped file; `held_before` what the process held when the run
    began.
    """

    stated: int | None = None
    measured: int = 0
    stated_stages: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, int] = field(default_factory=dict)
    is_mapped: bool = False
    refused: str | None = None
    warnings: Sequence[str] = ()
    held_before: int = 0
    seconds: float = 0.0
    was_killed: bool = False

    @property
    def ratio(self) -> float:
        """What was stated, as a share of what was measured."""
        return (self.stated or 0) / max(1, self.measured)

    @property
    def of_process(self) -> int:
        """The most that the process held while the run was done."""
        return self.held_before + self.measured


def measured_case(case: MemoryCase, *, kill_above: int | None = None) -> MemoryOutcome:
    """Do a run in a fresh process; it is killed when its private memory exceeds `kill_above` bytes."""
    return measured_cases([case], kill_above=kill_above)[0]


def measured_cases(cases: Sequence[MemoryCase], *, kill_above: int | None = None) -> list[MemoryOutcome]:
    """Do runs one after another in one fresh process, which is killed when it exceeds `kill_above` bytes."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        asked = json.dumps([asdict(case) for case in cases])
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "support.memory_runs", asked, folder]
        process = subprocess.Popen(command, stdout=output, env={**ALLOCATION, **os.environ, "PYTHONPATH": path})
        was_killed = _watched(process, kill_above)
        output.seek(0)
        found = [MemoryOutcome(**json.loads(line)) for line in output.read().decode().splitlines()]
    if was_killed:
        return [*found, *[MemoryOutcome(was_killed=True)] * (len(cases) - len(found))]
    if process.returncode or len(found) != len(cases):
        raise RuntimeError(f"the runs' process ended with status {process.returncode}")
    return found


def _watched(process: subprocess.Popen[bytes], kill_above: int | None) -> bool:
    """Wait for the end; say whether the process had to be killed."""
    while kill_above is not None and process.poll() is None:
        if private_bytes(process.pid) > kill_above:
            process.kill()
            process.wait()
            return True
        time.sleep(_POLL_SECONDS)
    process.wait()
    return False


def private_bytes(pid: int | str = "self", name: str = "RssAnon") -> int:
    """Return a line of a process's status in bytes, 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _mapped_bytes() -> int:
    """Return what is mapped of files, be they in a file system of memory."""
    return private_bytes(name="RssFile") + private_bytes(name="RssShmem")


class StageMeter:
    """Takes the kernel's high-water mark whenever a stage ends, less mapped files and less what was there before."""

    def __init__(self) -> None:
        self.stages: dict[str, int] = {}
        self._before, self._stage, self._files = 0, "", 0

    def begin(self) -> None:
        """Measure from here on."""
        ctypes.CDLL(None).malloc_trim(0)
        self._before = private_bytes()
        self._enter("")

    def _enter(self, stage: str) -> None:
        self._stage, self._files = stage, _mapped_bytes()
        Path("/proc/self/clear_refs").write_text("5")

    def note(self, stage: str) -> None:
        """Hear that a stage is at work."""
        if stage != self._stage:
            files = max(self._files, _mapped_bytes())
            peak = private_bytes(name="VmHWM") - files - self._before
            self.stages[self._stage] = max(peak, self.stages.get(self._stage, 0))
            self._enter(stage)

    def ended(self) -> int:
        """Return the most of all stages."""
        self.note("")
        self.stages.pop("", None)
        return max(self.stages.values(), default=0)


class _Context:
    """The running attempt of one job."""

    def __init__(self, payload: Mapping[str, Any], meter: StageMeter | None) -> None:
        self.job = SimpleNamespace(
            job_id="job_1", namespace_id="ns_1", payload=payload, attempt=1, created_at=_NOW + timedelta(hours=1)
        )
        self._meter = meter

    def progress(self, stage: str, fraction: float, message: str = "") -> None:  # noqa: ARG002 - the port's shape
        if self._meter is not None:
            self._meter.note(stage)

    def check(self) -> None:
        pass

    def complete(self, uow: Any, result: Any, *, with_errors: bool = False) -> None:
        pass


class _Rows:
    """The rows of a database that a run touches, in memory."""

    def __init__(self, case: MemoryCase, definition: Mapping[str, Any]) -> None:
        from shoald.domain.records.cluster import Cluster, ClusterRun
        from shoald.domain.records.collection import Collection, VectorConfig

        self.runs: dict[str, ClusterRun] = {}
        about: dict[str, Any] = {"created_at": _NOW, "updated_at": _NOW, "metadata": {}, "description": None}
        self.cluster = Cluster(
            cluster_id=_CLUSTER,
            namespace_id="ns_1",
            cluster_name="things",
            cluster_type="vector",
            collection_ids=(_COLLECTION,),
            definition=definition,
            last_run_id=None,
            **about,
        )
        configs = tuple(
            VectorConfig(name=name, dimension=_mapped(file).shape[1], metric="cosine")
            for name, file in case.files.items()
        )
        self.collection = Collection(
            collection_id=_COLLECTION,
            namespace_id="ns_1",
            collection_name="things",
            index_id=None,
            vector_configs=configs,
            document_count=case.rows,
            revision=1,
            **about,
        )
        self.ids = _ids(case.rows)
        self.clusters = SimpleNamespace(find=lambda _namespace, _id: self.cluster)
        self.collections = SimpleNamespace(
            get_many=lambda _namespace, _ids: [self.collection], payloads=_payloads, document_ids=lambda *_: self.ids
        )
        self.events = SimpleNamespace(add=lambda _event: None)
        self.cluster_runs = SimpleNamespace(
            get=self.runs.get, hold=self.runs.get, note=self._note, publish=self._publish, latest_completed=self._latest
        )

    def _note(self, run_id: str, effective: Mapping[str, Any]) -> None:
        run = self.runs[run_id]
        self.runs[run_id] = replace(run, effective={**run.effective, **effective})

    def _publish(self, run: Any) -> None:
        self.runs[run.run_id] = run

    def _latest(self, _cluster_id: str, *, before: Any = None) -> Any:  # noqa: ARG002 - the port's shape
        return next((run for run in reversed(self.runs.values()) if run.status == "completed"), None)

    def commit(self) -> None:
        pass

    @contextlib.contextmanager
    def open(self) -> Iterator[_Rows]:
        yield self


class _UnitsOfWork:
    """Units of work over the rows, whoever they are opened for."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    def __call__(self, *, reading: bool = False) -> Any:
        del reading
        return self._rows.open()

    for_the_system = __call__


class _Snapshots:
    """Files of vectors as snapshots of the collection."""

    def __init__(self, case: MemoryCase) -> None:
        self._case = case
        self.rows = case.rows

    def open(self, collection_id: str, vector_name: str, **_asked: Any) -> Any:
        from shoald.application.ports.vector_snapshots import VectorSnapshot

        file = self._case.files[vector_name]
        return VectorSnapshot(
            collection_id=collection_id,
            vector_name=vector_name,
            revision=1,
            sha256=f"{file}-{self.rows}",
            ids=_ids(self.rows),
            vectors=_mapped(file)[: self.rows],
            was_read=False,
        )


def _mapped(file: str) -> Any:
    return np.load(file, mmap_mode="r")


def _ids(rows: int) -> Any:
    return np.array([f"d{at:023d}".encode() for at in range(rows)], dtype=np.bytes_)


def _payloads(_collection_id: str, ids: Sequence[str]) -> dict[str, Any]:
    return {one: {"title": f"text {one} about {int(one[1:]) % 7}", "kind": int(one[1:]) % 7} for one in ids}


def _pipeline(case: MemoryCase, rows: _Rows, snapshots: _Snapshots, folder: Path) -> Any:
    """Return what does runs as a worker has it, over rows in memory."""
    from shoald.adapters.object_store.local import LocalObjectStore
    from shoald.application.cluster_inputs import ClusterInputs
    from shoald.settings import Settings
    from shoald.wiring import Adapters

    adapters = Adapters(Settings(data_dir=folder, cluster_memory_mib=case.limit_mib))
    opens = cast("Any", _UnitsOfWork(rows))
    parts = {
        "_units_of_work": opens,
        "objects": LocalObjectStore(folder / "objects"),
        "cluster_inputs": ClusterInputs(
            open_unit_of_work=opens, snapshots=cast("Any", snapshots), reduction=adapters.sparse_reduction
        ),
    }
    vars(adapters).update(parts)
    pipeline = adapters.cluster_pipeline
    vars(pipeline)["_followers"] = ()  # what follows a run writes rows of a database
    return pipeline


def _one(case: MemoryCase, folder: Path, meter: StageMeter | None) -> tuple[_Rows, float]:
    """Do a case from its first run to its last; only the last is measured."""
    from shoald.application.cluster_definitions import normalized

    asked = {"collection_ids": [_COLLECTION], "vector_config": case.asked, **case.body}
    if "attribute_config" in case.body:
        del asked["vector_config"]
    rows = _Rows(case, normalized(asked))
    snapshots = _Snapshots(case)
    pipeline = _pipeline(case, rows, snapshots, folder)
    if case.after is not None:
        snapshots.rows = min(case.rows, case.after_rows or case.rows)
        _run(pipeline, rows, "run_0", case.after, None)
        snapshots.rows = case.rows
    pipeline.warm()
    began = time.process_time()
    if meter is not None:
        meter.begin()
    if case.settings:
        payload = {"cluster_id": _CLUSTER, "settings": list(case.settings), "changes": dict(case.changes)}
        pipeline.sweep(_Context(payload, meter))
    else:
        _run(pipeline, rows, "run_1", case.changes, meter)
    return rows, time.process_time() - began


def _run(pipeline: Any, rows: _Rows, run_id: str, changes: Mapping[str, Any], meter: StageMeter | None) -> None:
    from shoald.domain.records.cluster import ClusterRun

    rows.runs[run_id] = ClusterRun(
        run_id=run_id,
        cluster_id=_CLUSTER,
        namespace_id="ns_1",
        job_id="job_1",
        status="processing",
        mode=str(changes.get("mode", "full")),
        num_clusters=0,
        num_points=0,
        metrics={},
        effective={},
        artifacts={},
        error_message=None,
        created_at=_NOW,
        completed_at=None,
        overrides=dict(changes),
    )
    pipeline.run(_Context({"cluster_id": _CLUSTER, "run_id": run_id}, meter))


def _main(cases: Sequence[MemoryCase], folder: Path) -> None:
    """Print the outcome of each case."""
    from shoald.worker.child import die_with_parent

    die_with_parent(os.getppid())
    known: set[Any] = set()
    for at, case in enumerate(cases):
        # a few rows first, so that libraries are loaded as they are in a worker that has run before
        if (method := case.asked.get("clustering_method")) not in known:
            _one(replace(case, rows=min(_WARM_ROWS, case.rows), limit_mib=0), folder / f"few{at}", None)
        known.add(method)
        print(json.dumps(asdict(_outcome(case, folder / f"all{at}"))), flush=True)


def _outcome(case: MemoryCase, folder: Path) -> MemoryOutcome:
    from shoald.domain.failures import TooLarge

    plans: list[Any] = []
    meter, held = StageMeter(), private_bytes()
    warnings: list[str] = []
    refused, seconds = None, 0.0
    with _plans_noted(plans):
        try:
            rows, seconds = _one(case, folder, meter)
            warnings = next((run.effective.get("warnings", []) for run in reversed(rows.runs.values())), [])
        except TooLarge as problem:
            refused = problem.message
    measured = meter.ended()
    plan = plans[-1] if plans else None
    return MemoryOutcome(
        stated=None if plan is None else plan.peak,
        measured=measured,
        stated_stages={} if plan is None else {"held": plan.held, **plan.stages},
        stages=meter.stages,
        is_mapped=plan is not None and plan.is_mapped,
        refused=refused,
        warnings=list(warnings),
        held_before=held,
        seconds=seconds,
    )


@contextlib.contextmanager
def _plans_noted(plans: list[Any]) -> Iterator[None]:
    """Note the plan of each promise: a run itself shows no more of it than its peak."""
    from shoald.application.memory_promises import MemoryPromises

    real = MemoryPromises.kept_to

    def kept_to(self: Any, work: Any, plan: Any) -> Any:
        plans.append(plan)
        return real(self, work, plan)

    MemoryPromises.kept_to = kept_to  # type: ignore[method-assign]
    try:
        yield
    finally:
        MemoryPromises.kept_to = real  # type: ignore[method-assign]


if __name__ == "__main__":
    _main([MemoryCase(**one) for one in json.loads(sys.argv[1])], Path(sys.argv[2]))

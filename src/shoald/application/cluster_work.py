"""One run that is being done: its job, its definition, the tools, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shoald.application.cluster_definitions import ClusterSpec
from shoald.application.cluster_stages import ClusterTools
from shoald.application.ports.jobs import JobContext
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import Cluster, ClusterRun

# shares of a run's progress at which the stages begin; most of the time goes into preprocessing and the map
BEGINS = {
    "snapshot": 0.0,
    "weigh": 0.04,
    "preprocess": 0.08,
    "cluster": 0.42,
    "merge": 0.55,
    "subdivide": 0.56,
    "centroids": 0.65,
    "match": 0.66,
    "quality": 0.67,
    "stability": 0.68,
    "map": 0.72,
    "label": 0.92,
    "publish": 0.95,
}
_ENDS = dict(zip(BEGINS, [*list(BEGINS.values())[1:], 1.0], strict=True))
_SURE = 0.1
"""Before so much is done, nothing is said about the time left."""
_A_MINUTE = 60


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the stages of a run share.

    `repeats` is the run that this one does again, if it does one; `feature` the one that is grouped by itself.
    `memory` is what was promised of the run's; `is_mapped` says that its vectors are worked on in a mapped file;
    `settle` is called between stages, so that none has to bear what another left. `is_quiet` keeps stages from telling
    how far they are; they still stop when they must. `began` is when this attempt began, by the monotonic clock, in
    seconds.
    """

    context: JobContext
    cluster: Cluster
    run: ClusterRun
    spec: ClusterSpec
    tools: ClusterTools
    repeats: ClusterRun | None = None
    feature: str | None = None
    is_quiet: bool = False
    is_mapped: bool = False
    part: tuple[int, int] = (0, 1)
    settle: Callable[[], None] = _nothing
    memory: JsonObject = field(default_factory=dict[str, Any])
    began: float = field(default_factory=time.monotonic)

    def stage(self, name: str, message: str = "") -> Callable[[float], None]:
        """Begin a stage and return what takes its progress; both raise when the run must stop."""
        self.settle()
        begin, end = BEGINS[name], _ENDS[name]
        self._report(name, begin, message)

        def step(done: float) -> None:
            self._report(name, begin + (end - begin) * min(1.0, max(0.0, done)), message)

        return step

    def done(self, fraction: float) -> float:
        """Return how much of the whole run is done when so much of this part is."""
        return (self.part[0] + fraction) / self.part[1]

    def _report(self, stage: str, fraction: float, message: str) -> None:
        if self.is_quiet:
            self.context.check()
            return
        fraction = self.done(fraction)
        left = time_left(time.monotonic() - self.began, fraction)
        self.context.progress(stage, fraction, ", ".join(word for word in (message, left) if word))


def time_left(seconds: float, fraction: float) -> str:
    """Say how long a run will still take when so many seconds brought it so far; nothing while that is a guess.

    >>> time_left(30, 0.5), time_left(150, 0.25), time_left(3, 0.01)
    ('about 30 s left', 'about 8 min left', '')
    """
    if fraction < _SURE or fraction >= 1:
        return ""
    left = seconds * (1 - fraction) / fraction
    return f"about {left:.0f} s left" if left < 2 * _A_MINUTE else f"about {left / _A_MINUTE:.0f} min left"


def asked(parameters: Any) -> list[Any]:
    """Return parameters as they go into the key of what a stage makes."""
    from dataclasses import asdict

    return [str(parameters.method), asdict(parameters)]

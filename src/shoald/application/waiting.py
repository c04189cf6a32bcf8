"""How long a caller waits for a job that it asked to be done at once, and whether it is still there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shoald.application.jobs import Jobs
from shoald.domain.records.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`seconds` is None for a caller who waits as long as it takes; `is_wanted` says whether it is still there."""

    seconds: float | None = None
    is_wanted: Callable[[], bool] | None = None

    def finish(self, jobs: Jobs, job: Job) -> Job:
        """See a committed job to its end and return it; raises what the job met, or `DeadlineExceeded`.

        A caller that goes away cancels nothing.
        """
        return jobs.finish(job, self.seconds, is_wanted=self.is_wanted)

"""What waiting is where nobody tells of ended jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Unheard:
    """`JobEnds` without a carrier: who waits looks again after each pause."""

    def tell(self, job_id: str) -> None:
        """Tell nobody."""

    @contextmanager
    def awaited(self, job_id: str) -> Iterator[Callable[[float], bool]]:  # noqa: ARG002 - the port's shape
        """Sleep."""

        def wait(seconds: float) -> bool:
            time.sleep(seconds)
            return False

        yield wait

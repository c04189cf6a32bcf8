"""Libraries of seconds are loaded in a thread that lets jobs go first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shoald.domain.failures import MissingDependency

if TYPE_CHECKING:
    from shoald.wiring.leisure import Leisure

log = logging.getLogger(__name__)

Step = Callable[[], object]


class Loading(threading.Thread):
    """Takes steps one after another while its process is at leisure; whoever cannot do without them hurries it."""

    def __init__(self, steps: Sequence[Step], leisure: Leisure) -> None:
        super().__init__(name="warming", daemon=True)
        self._steps = steps
        self._leisure = leisure

    def run(self) -> None:
        """Load everything; what cannot be loaded is told to the user whose job needs it."""
        for step in self._steps:
            self._leisure.wait()
            try:
                step()
            except MissingDependency:
                continue
            except Exception:
                log.exception("warming up failed")

    def finish(self) -> None:
        """Have it end as soon as it can, although a job is at work, and wait for that."""
        self._leisure.end()
        self.join()

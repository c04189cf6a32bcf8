"""Access for servers of test services: keys are off, and no caller is ever looked up."""

from __future__ import annotations

from shoald.application.access import Access
from shoald.application.ports.unit_of_work import UnitOfWork


def _never(*, reading: bool = False) -> UnitOfWork:
    raise AssertionError(f"nobody asks for a caller here (reading={reading})")


OPEN_ACCESS = Access(open_unit_of_work=_never)

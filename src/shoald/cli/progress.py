"""Shows how far long work is: a bar in a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_LINE_EVERY_SECONDS = 5.0


class Report(Protocol):
    """Takes the share of the work that is done, 0 to 1, and a few words about it."""

    def __call__(self, fraction: float, message: str = "") -> None:
        """Show it."""
        ...


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """Lend a `Report` for one piece of work; its end and duration are shown when the block ends well."""
    began = time.monotonic()
    if sys.stdout.isatty():
        with _bar(title) as report:
            yield report
    else:
        print(f"{title} …", flush=True)
        yield _PlainLines(title)
    print(f"{title}: {time.monotonic() - began:.1f} s", flush=True)


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    words, message = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[message]}"))
    with Progress(words, BarColumn(), message, TimeRemainingColumn(), transient=True) as bars:
        task = bars.add_task(title, total=1.0, message="")

        def report(fraction: float, message: str = "") -> None:
            bars.update(task, completed=fraction, message=message)

        yield report


class _PlainLines:
    """Prints a line at most every five seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._next = time.monotonic() + _LINE_EVERY_SECONDS

    def __call__(self, fraction: float, message: str = "") -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LINE_EVERY_SECONDS
            print(f"{self._title}: {fraction:.0%} {message}".rstrip(), flush=True)

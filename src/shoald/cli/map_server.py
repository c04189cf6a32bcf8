"""The Shoal that a map is made on: one that runs, here or elsewhere, or one that is started and stopped again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shoald.cli.down import down
from shoald.cli.running import started_url
from shoald.supervisor.installation import Installation


@dataclass(frozen=True, slots=True)
class MapServer:
    """A base URL, and the data directory of one on this machine, whose database can be written to without it."""

    url: str
    data: Path | None = None


@contextmanager
def lent_server(url: str | None, data: Path, *, port: int, keep: bool) -> Iterator[MapServer]:
    """Lend the Shoal at `url`, else that which runs on `data`, else one that is started there.

    One that was started is stopped when the block ends, however it ends, unless it is to be kept.
    """
    if url is not None:
        yield MapServer(url.rstrip("/"))
        return
    is_ours = Installation(data).supervisor_pid() is None
    started = started_url(data, port)
    try:
        yield MapServer(started, data)
    finally:
        if is_ours and not keep:
            down(data=data, wait=90.0)

"""A child as its parent sees it: a process, a line to it, and what it is at."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from shoald.worker.control import BUSY, DRAIN, IDLE, READY, ControlLine, Message

_REAP_SECONDS = 5.0
ALLOCATION = {"MALLOC_ARENA_MAX": "1"}
"""One heap for all threads: the GNU C library gives back what was freed at the top of the first heap only, and threads
of products would keep tens of MiB in heaps of their own, which no run could promise.
"""


@dataclass(kw_only=True)
class ChildProcess:
    """One spawned child; `name` is what it claims jobs under and is never used again."""

    name: str
    queue: str
    slot: int
    process: subprocess.Popen[bytes]
    line: ControlLine
    spawned_at: float
    is_ready: bool = False
    job: tuple[str, int] | None = None
    changed_at: float = field(default_factory=time.monotonic)
    wish: str | None = None
    wished_at: float = 0.0

    @classmethod
    def spawn(cls, command: Sequence[str], *, name: str, queue: str, slot: int) -> ChildProcess:
        """Start a child: `command` and what it needs to know as options."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        options = ["--queue", queue, "--name", name, "--control", str(theirs.fileno()), "--parent", str(os.getpid())]
        process = subprocess.Popen(
            [*command, *options],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**ALLOCATION, **os.environ},
        )
        theirs.close()
        return cls(
            name=name,
            queue=queue,
            slot=slot,
            process=process,
            line=ControlLine(ours),
            spawned_at=time.monotonic(),
        )

    def hear(self) -> None:
        """Take in what the child has said."""
        for message in self.line.hear() or ():
            self._note(message)

    def _note(self, message: Message) -> None:
        if message["say"] == READY:
            self.is_ready = True
        elif message["say"] == BUSY:
            self.job = (message["job_id"], message["attempt"])
        elif message["say"] == IDLE:
            self.job = None
        self.changed_at = time.monotonic()

    def drain(self) -> None:
        """Ask for the end after the job at hand."""
        self.line.say(DRAIN)

    def wished_for(self, wish: str | None) -> float:
        """Note why the child should stop, if it should, and return for how many seconds that has been so."""
        now = time.monotonic()
        if wish != self.wish:
            self.wish, self.wished_at = wish, now
        return now - self.wished_at if wish else 0.0

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """End the process now and reap it."""
        self.process.kill()
        self.process.wait(_REAP_SECONDS)

    @property
    def last_words(self) -> str:
        """How the process ended, for people."""
        code = self.process.returncode
        return f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with status {code}"

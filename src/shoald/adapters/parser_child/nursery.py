"""The nursery: one small process that has the parsers loaded and forks a child for each file.

It is started by file name, with no environment and no site packages, never sees what is in a file, and has one thread.
A request is a message of one byte, the number of the module that parses, and four open files: the file to parse, the
pipe for the frames, the request as JSON, and a socket on which the child's exit code comes back; when the other side
closes that socket, the child is killed. When the process that started it goes, it ends its children and goes too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from types import FrameType

REQUEST_FILES = 4


class Nursery:
    """Forks children and looks after them; `mother` is the socket to the process that wants them."""

    def __init__(self, mother: socket.socket, modules: list[str]) -> None:
        self._mother = mother
        self._modules = modules
        self._loaded: set[int] = set()
        self._lines: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self._poll.register(mother, select.POLLIN)
        # the end of a child wakes the poll
        self._woken, waking = socket.socketpair()
        for end in (self._woken, waking):
            end.setblocking(False)
        self._waking = waking
        self._poll.register(self._woken, select.POLLIN)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the mother is gone."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._mother.fileno():
                    if not self._accept():
                        self._end_all()
                        return
                elif descriptor == self._woken.fileno():
                    self._woken.recv(4096)
                    self._reap()
                else:
                    self._abandoned(descriptor)

    def _accept(self) -> bool:
        message, files, _, _ = socket.recv_fds(self._mother, 1, REQUEST_FILES)
        if not message:
            return False
        self._load(message[0])
        # asked before the fork: a child whose nursery is gone already must find another parent than this
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become_child(files, nursery)
        for file in files[:3]:
            os.close(file)
        line = socket.socket(fileno=files[3])
        self._lines[pid] = line
        self._poll.register(line, select.POLLRDHUP)
        return True

    def _load(self, number: int) -> None:
        """Load a parser when it is first wanted, so that no later child has to."""
        if number in self._loaded:
            return
        self._loaded.add(number)
        # a child that needs it says why it cannot be loaded
        with contextlib.suppress(Exception):
            importlib.import_module(self._modules[number])
        gc.freeze()

    def _reap(self) -> None:
        while self._lines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            line = self._lines.pop(pid)
            self._poll.unregister(line)
            with contextlib.suppress(OSError):
                line.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            line.close()

    def _abandoned(self, descriptor: int) -> None:
        for pid, line in self._lines.items():
            if line.fileno() == descriptor:
                os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        for pid in self._lines:
            os.kill(pid, signal.SIGKILL)


def _ignore(_: int, __: FrameType | None) -> None:
    """Do nothing: a handler is there so that the signal wakes the poll."""


def _become_child(files: list[int], nursery: int) -> None:
    from shoald.adapters.parser_child import child

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with open(files[2], "rb") as file:  # noqa: PTH123 - it has no path
        file.seek(0)
        request = json.load(file)
    os.dup2(files[0], 0)
    os.dup2(files[1], 1)
    os.closerange(3, 1024)
    child.run(request, nursery)


def main() -> None:
    """Serve on the socket that `sys.argv[1]` names."""
    plan = json.loads(sys.argv[1])
    sys.path[:0] = plan["path"]
    importlib.import_module("shoald.adapters.parser_child.child")
    # nothing can be written to a folder that is gone
    with contextlib.suppress(OSError):
        os.rmdir(os.getcwd())  # noqa: PTH106, PTH109 - pathlib would be loaded for this alone
    gc.freeze()
    Nursery(socket.socket(fileno=plan["socket"]), plan["modules"]).run()


if __name__ == "__main__":
    main()

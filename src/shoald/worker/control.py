"""The line between a worker's parent and one child: JSON lines over a socket pair."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

READY = "ready"
BUSY = "busy"
IDLE = "idle"
DRAIN = "drain"


class ControlLine:
    """One end of the line; messages to an end that is gone are lost, which its owner learns otherwise."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, so that a selector can wait for messages."""
        return self._end.fileno()

    def say(self, word: str, **more: Any) -> None:
        """Send a message."""
        line = json.dumps({"say": word, **more}).encode() + b"\n"
        with self._sending, contextlib.suppress(OSError):
            self._end.sendall(line)

    def hear(self) -> list[Message] | None:
        """Read what has come; None when the other end is gone. Blocks unless the socket does not."""
        try:
            piece = self._end.recv(64 * 1024)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not piece:
            return None
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [json.loads(line) for line in lines]

    def listen(self, on_message: Callable[[Message], None], on_end: Callable[[], None]) -> None:
        """Hear everything in a thread of its own."""

        def hear_all() -> None:
            while (messages := self.hear()) is not None:
                for message in messages:
                    on_message(message)
            on_end()

        threading.Thread(target=hear_all, name="control", daemon=True).start()

    def close(self) -> None:
        """Hang up."""
        self._end.close()

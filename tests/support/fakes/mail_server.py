"""A small SMTP server on loopback that keeps what it is given, or refuses it as it is told."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class MailBox:
    """Where it listens, what came in, and how a recipient is answered, and how slowly."""

    port: int = 0
    recipients: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    seconds_each: float = 0.0


@contextmanager
def mail_server() -> Iterator[MailBox]:
    """Run one."""
    box = MailBox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                words = line.decode().strip()
                self.wfile.write(f"{self._answer(words)}\r\n".encode())
                if words.upper() == "QUIT":
                    return

        def _answer(self, words: str) -> str:
            if words.upper().startswith("RCPT"):
                address = words.partition("<")[2].partition(">")[0]
                box.recipients.append(address)
                time.sleep(box.seconds_each)
                return box.answers.get(address, "250 fine")
            if words.upper() == "DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                box.messages.append(text.decode())
            return "221 bye" if words.upper() == "QUIT" else "250 fine"

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield box
        server.shutdown()

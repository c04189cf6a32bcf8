"""A TCP proxy that loses answers: it hands a request on, drops the reply, and cuts the connection."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator


class CuttingProxy:
    """Forwards to `port`; of the requests that contain `pattern`, the share `cut` never see their answer."""

    def __init__(self, port: int, pattern: bytes, *, cut: float, seed: int) -> None:
        self._target = port
        self._pattern = pattern
        self._cut = cut
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            pair = _Pair(client, server)
            threading.Thread(target=self._forward, args=(pair,), daemon=True).start()
            threading.Thread(target=self._answer, args=(pair,), daemon=True).start()

    def _forward(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while piece := pair.client.recv(65536):
                if self._pattern in piece and self._random.random() < self._cut:
                    pair.is_doomed.set()
                pair.server.sendall(piece)
        pair.close()

    def _answer(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while piece := pair.server.recv(65536):
                if pair.is_doomed.is_set():
                    self.cuts += 1
                    break
                pair.client.sendall(piece)
        pair.close()

    def close(self) -> None:
        self._listener.close()


class _Pair:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.is_doomed = threading.Event()

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def cutting(port: int, pattern: bytes, *, cut: float, seed: int) -> Iterator[CuttingProxy]:
    """Lend a proxy."""
    proxy = CuttingProxy(port, pattern, cut=cut, seed=seed)
    try:
        yield proxy
    finally:
        proxy.close()

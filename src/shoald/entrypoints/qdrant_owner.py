"""The owner process of an embedded installation: Qdrant's gRPC API, as far as Shoal calls it, at SHOAL_QDRANT_URL."""

from __future__ import annotations

import faulthandler
import importlib.util
import signal
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shoald.entrypoints.readiness import tell_ready
from shoald.settings import Settings

if TYPE_CHECKING:
    from shoald.adapters.qdrant.owner.server import OwnerOptions

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    _leave_the_client_out()
    from shoald.adapters.qdrant.owner.server import Owner

    owner = Owner(options_of(settings))
    owner.start()
    tell_ready(settings.ready_file)
    stopping.wait()
    seconds = min(5.0, settings.drain_seconds)
    faulthandler.dump_traceback_later(seconds + 5.0, exit=True)  # a stop that hangs ends all the same, and says where
    owner.stop(seconds=seconds)


def options_of(settings: Settings) -> OwnerOptions:
    """Return where to listen: the owner is for processes of its own machine only."""
    from shoald.adapters.qdrant.owner.server import OwnerOptions

    address = urlsplit(settings.qdrant_url or "")
    if address.hostname not in _LOOPBACK or address.port is None:
        raise SystemExit("SHOAL_QDRANT_URL: the owner process needs an address of this machine, http://127.0.0.1:PORT")
    key = settings.qdrant_api_key
    return OwnerOptions(
        root=settings.data_dir / "qdrant",
        host=address.hostname,
        port=address.port,
        api_key=key.get_secret_value() if key else None,
    )


def _leave_the_client_out() -> None:
    """Let `qdrant_client.grpc` be imported without the client around it, which this process never calls.

    The package's own `__init__` imports all of it: a second at every start, and 60 MB for as long as the owner lives.
    """
    found = importlib.util.find_spec("qdrant_client")
    if found is not None and "qdrant_client" not in sys.modules:
        package = ModuleType("qdrant_client")
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules["qdrant_client"] = package

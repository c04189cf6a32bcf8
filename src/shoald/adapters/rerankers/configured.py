"""Finds the reranker that a strategy names by `model_name` and `device`: the mock, a folder's, or an endpoint's."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from shoald.adapters.rerankers.endpoint import EndpointReranker, RerankEndpoint
from shoald.adapters.rerankers.local import LocalReranker, has_model, known_device
from shoald.adapters.rerankers.mock import MockReranker
from shoald.application.ports.reranker import Reranker
from shoald.domain.failures import MissingDependency

_MOCK = "mock"
# a model's name as model hubs write it; it becomes part of a path, so nothing else may pass
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)?[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MOST_REMOTE = 16


class ConfiguredRerankers:
    """Keeps one reranker of each name and device, made when it is first asked for.

    The model `a/b` lies in the folder `a/b` or `b` under `folder`. What is not there is asked of the endpoint.
    """

    def __init__(self, *, folder: Path | None, endpoint: RerankEndpoint | None) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._mock = MockReranker()
        self._lock = threading.Lock()
        self._local: dict[tuple[Path, str], LocalReranker] = {}
        self._remote: dict[str, EndpointReranker] = {}

    def get(self, model_name: str, device: str) -> Reranker:
        """Return it; the device means something to a folder's models only."""
        if model_name.startswith(_MOCK):
            return self._mock
        place = self._place_of(model_name)
        if place is not None:
            place_and_device = place, known_device(device)
            with self._lock:
                return self._local.setdefault(place_and_device, LocalReranker(*place_and_device))
        if self._endpoint is not None:
            return self._asked(self._endpoint, model_name)
        raise MissingDependency(
            f"The reranking model {model_name!r} is not there.",
            detail={"setting": "SHOAL_RERANKER_FOLDER", "model_name": model_name},
            hint="Put its model.onnx and tokenizer.json into a folder of its name under SHOAL_RERANKER_FOLDER, "
            "or set SHOAL_RERANKER_URL; names that begin with `mock` need neither.",
        )

    def close(self) -> None:
        """Close the connections to the endpoint."""
        with self._lock:
            for reranker in self._remote.values():
                reranker.close()

    def _place_of(self, model_name: str) -> Path | None:
        if self._folder is None or not _NAME.fullmatch(model_name):
            return None
        candidates = (self._folder / model_name, self._folder / model_name.rpartition("/")[2])
        return next((place for place in candidates if has_model(place)), None)

    def _asked(self, endpoint: RerankEndpoint, model_name: str) -> EndpointReranker:
        with self._lock:
            if model_name not in self._remote and len(self._remote) >= _MOST_REMOTE:  # names come from callers
                self._remote.pop(next(iter(self._remote))).close()
            return self._remote.setdefault(model_name, EndpointReranker(endpoint, model_name))

"""Vectors from any OpenAI-compatible endpoint: texts go out in bounded requests, checked unit vectors come back."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shoald.application.ports.embedder import EmbedderInfo
from shoald.domain.failures import EmbeddingFailed, Failure, MissingDependency, Unavailable

if TYPE_CHECKING:
    from openai import OpenAI

_DEFAULT_URL = "https://api.openai.com/v1"
_TEXTS_A_REQUEST = 256
_CHARACTERS_A_REQUEST = 200_000
_TOO_MANY = 429
_TIMEOUT = 408
_SERVER_ERRORS = 500
_UNAUTHORISED = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIEndpoint:
    """Where and how to ask; `longest_wait` bounds each pause between two tries."""

    base_url: str = _DEFAULT_URL
    api_key: str | None = None
    timeout_seconds: float = 30.0
    tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 10.0


class OpenAIEmbedder:
    """One model of one endpoint. Its dimension is learnt from the first answer and held against all later ones."""

    def __init__(self, endpoint: OpenAIEndpoint, model: str) -> None:
        self._endpoint = endpoint
        self._model = model
        self._lock = threading.Lock()
        self._client: OpenAI | None = None
        self._dimension: int | None = None

    @property
    def info(self) -> EmbedderInfo:
        """Say who this is; asks the endpoint once if it has not answered yet."""
        if self._dimension is None:
            self._ask(["dimension"])
        url = self._endpoint.base_url.rstrip("/")
        # The same model name at another address may be another model, whose vectors must not be mixed with these.
        version = "1" if url == _DEFAULT_URL else hashlib.sha256(url.encode()).hexdigest()[:8]
        return EmbedderInfo(name=f"openai.{self._model}", version=version, dimension=self._dimension or 0)

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Embed the texts, one request after another."""
        parts: list[npt.NDArray[np.float32]] = []
        done = 0
        for request in _requests(texts):
            parts.append(self._ask(request))
            done += len(request)
            if progress:
                progress(done)
        return np.concatenate(parts) if parts else np.empty((0, self.info.dimension), np.float32)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed one text."""
        vector: npt.NDArray[np.float32] = self._ask([text])[0]
        return vector

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        # Endpoints refuse an empty text; a blank is as little.
        answer = self._with_tries([text or " " for text in texts])
        vectors = _checked(answer, len(texts))
        with self._lock:
            if self._dimension is None:
                self._dimension = vectors.shape[1]
        if vectors.shape[1] != self._dimension:
            raise EmbeddingFailed(
                f"The embedding provider answered {vectors.shape[1]} dimensions, before it was {self._dimension}."
            )
        return vectors

    def _with_tries(self, texts: list[str]) -> Any:
        import openai

        client = self._opened()
        for tried in range(1, self._endpoint.tries + 1):
            try:
                return client.embeddings.create(input=texts, model=self._model, encoding_format="float")
            except openai.APIStatusError as error:
                if not _may_pass(error.status_code):
                    raise _refusal(error.status_code, str(error)) from error
                if tried == self._endpoint.tries:
                    raise Unavailable(f"The embedding provider answers {error.status_code}.") from error
                self._pause(tried, error.response.headers.get("retry-after"))
            except openai.APIConnectionError as error:  # its time-outs are of this kind too
                if tried == self._endpoint.tries:
                    raise Unavailable("The embedding provider does not answer.") from error
                self._pause(tried, None)
            except (openai.OpenAIError, ValueError) as error:
                raise EmbeddingFailed("The embedding provider's answer cannot be read.") from error
        raise AssertionError

    def _pause(self, tried: int, asked_for: str | None) -> None:
        seconds = self._endpoint.first_wait * 2 ** (tried - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        if asked_for and asked_for.isdecimal():
            seconds = float(asked_for)
        time.sleep(min(seconds, self._endpoint.longest_wait))

    def _opened(self) -> OpenAI:
        if not self._endpoint.api_key:
            raise MissingDependency(
                "The embedding provider `openai` needs a key: set SHOAL_OPENAI_API_KEY.",
                detail={"setting": "SHOAL_OPENAI_API_KEY"},
            )
        from openai import OpenAI

        with self._lock:
            if self._client is None:
                self._client = OpenAI(
                    api_key=self._endpoint.api_key,
                    base_url=self._endpoint.base_url,
                    timeout=self._endpoint.timeout_seconds,
                    max_retries=0,
                )
            return self._client


def _requests(texts: Sequence[str]) -> Iterator[list[str]]:
    request: list[str] = []
    characters = 0
    for text in texts:
        if request and (len(request) == _TEXTS_A_REQUEST or characters + len(text) > _CHARACTERS_A_REQUEST):
            yield request
            request, characters = [], 0
        request.append(text)
        characters += len(text)
    if request:
        yield request


def _may_pass(status: int) -> bool:
    return status in {_TOO_MANY, _TIMEOUT} or status >= _SERVER_ERRORS


def _refusal(status: int, message: str) -> Failure:
    if status in _UNAUTHORISED:
        return MissingDependency(
            "The embedding provider refuses the key in SHOAL_OPENAI_API_KEY.",
            detail={"setting": "SHOAL_OPENAI_API_KEY", "status": status},
        )
    return EmbeddingFailed(f"The embedding provider refuses: {message[:300]}", detail={"status": status})


def _checked(answer: Any, expected: int) -> npt.NDArray[np.float32]:
    """Return the answer's vectors as unit rows in the order asked for; raises `EmbeddingFailed` if any is unusable."""
    try:
        rows = sorted(answer.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(expected)):
            raise EmbeddingFailed(f"The embedding provider answered {len(rows)} vectors for {expected} texts.")
        vectors = np.array([row.embedding for row in rows], np.float64)
    except (AttributeError, TypeError, ValueError) as error:
        raise EmbeddingFailed("The embedding provider's answer holds no vectors.") from error
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():  # noqa: PLR2004 - rows and columns
        raise EmbeddingFailed("The embedding provider's answer holds no usable vectors.")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise EmbeddingFailed("The embedding provider answered a vector of length zero.")
    unit: npt.NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return unit

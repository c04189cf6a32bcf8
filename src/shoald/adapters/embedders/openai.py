"""Vectors from any OpenAI-compatible endpoint: texts go out in bounded requests, checked unit vectors come back."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.embedders.patience import Pace, Patience, asked_pause
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
# models of the E5 family were trained on texts that say which of the two they are; its instructed ones were not
_SAYS_WHAT_IT_IS = re.compile(r"(?:^|[/_-])e5(?:[_-](?!mistral)|$)(?!.*instruct)")
_PASSAGE, _QUERY = "passage: ", "query: "


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIEndpoint:
    """Where and how to ask, and how long to put up with limits.

    A query, which somebody waits for, is given up after `tries`, with pauses of at most `longest_wait` seconds.
    Passages are asked for with more patience: a build that waits a minute costs nothing, one that fails starts again.
    """

    base_url: str = _DEFAULT_URL
    api_key: str | None = None
    timeout_seconds: float = 30.0
    first_wait: float = 0.5
    tries: int = 4
    longest_wait: float = 10.0
    patient_tries: int = 8
    longest_patient_wait: float = 120.0
    requests_at_once: int = 1

    def require_key(self) -> None:
        """Raise `MissingDependency` that names the setting where no key is set; nothing is loaded or asked for it."""
        if not self.api_key:
            raise MissingDependency(
                "The embedding provider `openai` needs a key: set SHOAL_OPENAI_API_KEY.",
                detail={"setting": "SHOAL_OPENAI_API_KEY"},
            )


class OpenAIEmbedder:
    """One model of one endpoint. Its dimension is learnt from the first answer and held against all later ones."""

    def __init__(self, endpoint: OpenAIEndpoint, model: str) -> None:
        self._endpoint = endpoint
        self._model = model
        self._lock = threading.Lock()
        self._client: OpenAI | None = None
        self._dimension: int | None = None
        self._pace = Pace()

    @property
    def info(self) -> EmbedderInfo:
        """Say who this is; asks the endpoint once if it has not answered yet."""
        if self._dimension is None:
            self._ask(["dimension"])
        url = self._endpoint.base_url.rstrip("/")
        # The same model name at another address may be another model, whose vectors must not be mixed with these.
        version = "1" if url == _DEFAULT_URL else hashlib.sha256(url.encode()).hexdigest()[:8]
        version += "-prefixed" if self._is_prefixed else ""
        return EmbedderInfo(
            name=f"openai.{self._model}",
            version=version,
            dimension=self._dimension or 0,
            at_once=self._endpoint.requests_at_once,
        )

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Embed the texts, one request after another."""
        endpoint = self._endpoint
        parts: list[npt.NDArray[np.float32]] = []
        done = 0

        def tell() -> None:
            if progress:
                progress(done)

        patience = Patience(endpoint.patient_tries, endpoint.first_wait, endpoint.longest_patient_wait, tell)
        for request in _requests(texts):
            parts.append(self._ask(self._said(_PASSAGE, request), patience))
            done += len(request)
            tell()
        return np.concatenate(parts) if parts else np.empty((0, self.info.dimension), np.float32)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed one text."""
        vector: npt.NDArray[np.float32] = self._ask(self._said(_QUERY, [text]))[0]
        return vector

    @property
    def _is_prefixed(self) -> bool:
        return _SAYS_WHAT_IT_IS.search(self._model.lower()) is not None

    def _said(self, what: str, texts: list[str]) -> list[str]:
        return [what + text for text in texts] if self._is_prefixed else texts

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, texts: Sequence[str], patience: Patience | None = None) -> npt.NDArray[np.float32]:
        endpoint = self._endpoint
        patience = patience or Patience(endpoint.tries, endpoint.first_wait, endpoint.longest_wait)
        # Endpoints refuse an empty text; a blank is as little.
        answer = self._with_tries([text or " " for text in texts], patience)
        vectors = _checked(answer, len(texts))
        with self._lock:
            if self._dimension is None:
                self._dimension = vectors.shape[1]
        if vectors.shape[1] != self._dimension:
            raise EmbeddingFailed(
                f"The embedding provider answered {vectors.shape[1]} dimensions, before it was {self._dimension}."
            )
        return vectors

    def _with_tries(self, texts: list[str], patience: Patience) -> Any:
        client = self._opened()
        import openai

        patience.wait(self._pace.pause_before(texts))
        for tried in range(1, patience.tries + 1):
            try:
                answer = client.embeddings.with_raw_response.create(
                    input=texts, model=self._model, encoding_format="float"
                )
                self._pace.note(answer.headers)
                return answer.parse()
            except openai.APIStatusError as error:
                if not _may_pass(error.status_code):
                    raise _refusal(error.status_code, str(error)) from error
                asked_for = asked_pause(error.response.headers)
                if tried == patience.tries:
                    message = f"The embedding provider answers {error.status_code}."
                    raise Unavailable(message, retry_after_seconds=asked_for or 1.0) from error
                patience.pause(tried, asked_for)
            except openai.APIConnectionError as error:  # its time-outs are of this kind too
                if tried == patience.tries:
                    raise Unavailable("The embedding provider does not answer.") from error
                patience.pause(tried, None)
            except (openai.OpenAIError, ValueError) as error:
                raise EmbeddingFailed("The embedding provider's answer cannot be read.") from error
        raise AssertionError

    def _opened(self) -> OpenAI:
        self._endpoint.require_key()
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

"""Scores from a `/rerank` endpoint: passages go out in bounded requests, checked scores come back."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shoald.domain.failures import Failure, MissingDependency, RerankingFailed, Unavailable

if TYPE_CHECKING:
    import httpx

_PASSAGES_A_REQUEST = 100
_CHARACTERS_A_REQUEST = 400_000
_TIMEOUT, _TOO_MANY, _SERVER_ERRORS, _FIRST_ERROR = 408, 429, 500, 300
_UNAUTHORISED, _UNKNOWN = frozenset({401, 403}), frozenset({404, 405})


class Wire(NamedTuple):
    """How one kind of endpoint spells a request, and where its answer has the scores."""

    body: Callable[[str, str, Sequence[str]], dict[str, Any]]
    rows: str | None
    score: str


def _cohere(model: str, query: str, passages: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "query": query, "documents": list(passages), "top_n": len(passages)}


def _openai(model: str, query: str, passages: Sequence[str]) -> dict[str, Any]:
    return {**_cohere(model, query, passages), "return_documents": False}


def _tei(_model: str, query: str, passages: Sequence[str]) -> dict[str, Any]:
    return {"query": query, "texts": list(passages), "truncate": True, "return_text": False}


# `openai`: what OpenAI-compatible servers (vLLM, LocalAI, llama.cpp, Jina) serve; `tei`: Text Embeddings Inference, one
# model a server, so that the request names none.
WIRES = {
    "openai": Wire(_openai, "results", "relevance_score"),
    "cohere": Wire(_cohere, "results", "relevance_score"),
    "tei": Wire(_tei, None, "score"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankEndpoint:
    """Where and how to ask; `longest_wait` bounds each pause between two tries.

    No try begins later than `patience_seconds` after the first. The defaults are those of a call, which Envoy ends
    after a minute; a job can wait longer.
    """

    base_url: str
    kind: str = "openai"
    api_key: str | None = None
    timeout_seconds: float = 15.0
    tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 10.0
    patience_seconds: float = 4.0


class EndpointReranker:
    """One model of one endpoint; several threads may ask at once."""

    def __init__(self, endpoint: RerankEndpoint, model: str) -> None:
        self._endpoint = endpoint
        self._model = model
        self._wire = WIRES[endpoint.kind]
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def scores(self, query: str, passages: Sequence[str], check: Callable[[int], None] = lambda _: None) -> list[float]:
        """Score the passages, one request after another."""
        scores: list[float] = []
        for request in _requests(passages):
            check(len(scores))
            scores.extend(self._ask(query, request))
        return scores

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, query: str, passages: Sequence[str]) -> list[float]:
        # Endpoints refuse an empty text; a blank is as little.
        body = self._wire.body(self._model, query or " ", [passage or " " for passage in passages])
        return _checked(self._with_tries(body), self._wire, len(passages))

    def _with_tries(self, body: dict[str, Any]) -> Any:
        import httpx

        client = self._opened()
        until = time.monotonic() + self._endpoint.patience_seconds
        for tried in range(1, self._endpoint.tries + 1):
            try:
                response = client.post("rerank", json=body)
            except httpx.RequestError as error:  # its time-outs are of this kind too
                failure, asked_for = Unavailable("The reranking endpoint does not answer."), None
                failure.__cause__ = error
            else:
                if response.status_code < _FIRST_ERROR:
                    return _read(response)
                if not _may_pass(response.status_code):
                    raise self._refusal(response)
                failure = Unavailable(f"The reranking endpoint answers {response.status_code}.")
                asked_for = response.headers.get("retry-after")
            pause = self._pause(tried, asked_for)
            if tried == self._endpoint.tries or time.monotonic() + pause > until:
                raise failure
            time.sleep(pause)
        raise AssertionError

    def _pause(self, tried: int, asked_for: str | None) -> float:
        seconds: float = self._endpoint.first_wait * 2 ** (tried - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        if asked_for and asked_for.isdecimal():
            seconds = float(asked_for)
        return min(seconds, self._endpoint.longest_wait)

    def _opened(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                key = self._endpoint.api_key
                self._client = httpx.Client(
                    base_url=self._endpoint.base_url,
                    headers={"authorization": f"Bearer {key}"} if key else {},
                    timeout=self._endpoint.timeout_seconds,
                    trust_env=False,
                )
            return self._client

    def _refusal(self, response: httpx.Response) -> Failure:
        status = response.status_code
        if status in _UNAUTHORISED:
            return MissingDependency(
                "The reranking endpoint refuses the key in SHOAL_RERANKER_API_KEY.",
                detail={"setting": "SHOAL_RERANKER_API_KEY", "status": status},
            )
        if status in _UNKNOWN:
            return MissingDependency(
                f"The reranking endpoint in SHOAL_RERANKER_URL does not know the model {self._model!r}.",
                detail={"setting": "SHOAL_RERANKER_URL", "model_name": self._model, "status": status},
            )
        return RerankingFailed(
            f"The reranking endpoint refuses: {response.text[:300] or status}", detail={"status": status}
        )


def _requests(passages: Sequence[str]) -> Iterator[list[str]]:
    request: list[str] = []
    characters = 0
    for passage in passages:
        if request and (len(request) == _PASSAGES_A_REQUEST or characters + len(passage) > _CHARACTERS_A_REQUEST):
            yield request
            request, characters = [], 0
        request.append(passage)
        characters += len(passage)
    if request:
        yield request


def _may_pass(status: int) -> bool:
    return status in {_TOO_MANY, _TIMEOUT} or status >= _SERVER_ERRORS


def _read(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise RerankingFailed("The reranking endpoint's answer cannot be read.") from error


def _checked(answer: Any, wire: Wire, expected: int) -> list[float]:
    """Return the answer's scores in the order asked for; raises `RerankingFailed` if any is missing or no number."""
    try:
        rows = answer if wire.rows is None else answer[wire.rows]
        scores = {int(row["index"]): float(row[wire.score]) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise RerankingFailed("The reranking endpoint's answer holds no scores.") from error
    if len(rows) != expected or sorted(scores) != list(range(expected)):
        raise RerankingFailed(f"The reranking endpoint answered {len(rows)} scores for {expected} passages.")
    if not all(map(math.isfinite, scores.values())):
        raise RerankingFailed("The reranking endpoint's answer holds scores that are no numbers.")
    return [scores[number] for number in range(expected)]

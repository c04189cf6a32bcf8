"""Filtered pages of many documents, through Envoy: p50 and p99 of each operator on declared fields, and on others.

Documents with five payload fields are upserted, a thousand a call; the fields are declared as `payload_indexes` before.
Beside the times stands the processor time of PostgreSQL for a page, which other work on the machine changes little.
Peer: the same page without a declaration, where each document is read.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._installation import installed, postgres_milliseconds

_DOCUMENTS = 100_000
_TOGETHER = 1000
_CALLS = 40
_PLAIN_CALLS = 5
_IDLE_SECONDS = 5.0
_NAMESPACE = "bench_documents"
_RESULTS = Path("benchmarks/results/documents.md")
_DECLARED = ("n", "kind", "user", "tags", "rare")


def main() -> None:
    """Start a Shoal of its own, store documents, ask for pages, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=_DOCUMENTS)
    number = parser.parse_known_args()[0].documents
    lines = [f"Command: `python -m benchmarks documents --documents {number}`\n"]
    with installed() as (address, data):
        calls = _Calls(address)
        for fields in ((), _DECLARED):
            said = f"{len(fields)} fields declared" if fields else "nothing declared"
            lines.append(f"Stored with {said}: {_store(calls, number, fields):.0f} documents/s.\n")
            print(lines[-1], flush=True)
        server = _Postgres(data)
        heads = ("page of 10", "p50 ms", "p99 ms", "PostgreSQL ms", "undeclared p50 ms", "undeclared PostgreSQL ms")
        lines += [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        for name, filters in _filters(number).items():
            declared, spent = _times(calls, server, len(_DECLARED), filters, _CALLS)
            plain, plainly = _times(calls, server, 0, filters, _PLAIN_CALLS)
            p50, p99 = statistics.median(declared), sorted(declared)[int(0.99 * len(declared))]
            figures = (p50, p99, spent, statistics.median(plain), plainly)
            lines.append(f"| {name} | {' | '.join(f'{one:.1f}' for one in figures)} |")
            print(lines[-1], flush=True)
    if number < _DOCUMENTS:
        return  # a trial leaves the figures of the whole
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text("# Filtered pages of documents\n\n" + "\n".join(lines) + "\n")


class _Calls:
    """One kept connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=600)

    def post(self, path: str, body: object, *, namespace: str) -> Any:
        """Send JSON on behalf of a namespace and return the JSON that is answered."""
        headers = {"content-type": "application/json", "x-namespace": namespace}
        self._connection.request("POST", f"/v1{path}", json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path}: {answer.status} {content[:500]!r}")
        return json.loads(content)


def _store(calls: _Calls, number: int, fields: tuple[str, ...]) -> float:
    """Make the namespace for so many declared fields, store the documents, and return how many a second."""
    name = f"{_NAMESPACE}_{len(fields)}"
    indexes = [{"field_name": field, "type": "keyword"} for field in fields]
    calls.post("/namespaces", {"namespace_name": name, "payload_indexes": indexes}, namespace="default")
    began = time.perf_counter()
    for first in range(0, number, _TOGETHER):
        documents = [_document(at) for at in range(first, min(number, first + _TOGETHER))]
        body = {"collection_id": "things", "documents": documents}
        calls.post(f"/namespaces/{name}/documents/upsert", body, namespace=name)
    return number / (time.perf_counter() - began)


def _document(at: int) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "n": at,
        "kind": f"k{at % 10}",
        "user": f"u{at % 5000}",
        "tags": [f"t{at % 7}", f"t{at % 11}"],
        "text": f"some words of document {at}, long as the first line of a passage is, so that pages weigh something",
    }
    if at % 1000 == 0:
        payload["rare"] = True
    return {"document_id": f"d{(at * 7919) % 1_000_003:07d}", "payload": payload}


def _filters(number: int) -> dict[str, Any]:
    def condition(field: str, operator: str, value: Any) -> dict[str, Any]:
        return {"field": field, "operator": operator, "value": value}

    return {
        "eq, a tenth": condition("kind", "eq", "k3"),
        "eq, twenty": condition("user", "eq", "u42"),
        "eq, an element of a list": condition("tags", "eq", "t3"),
        "eq, none": condition("user", "eq", "nobody"),
        "in, sixty": condition("user", "in", ["u42", "u77", "u4000"]),
        "in, three tenths": condition("kind", "in", ["k1", "k2", "k3"]),
        "gte, fifty": condition("n", "gte", number - 50),
        "gte, half": condition("n", "gte", number // 2),
        "lt, a third": condition("n", "lt", number // 3),
        "exists, a thousandth": condition("rare", "exists", True),
        "exists, all": condition("n", "exists", True),
        "a range of a hundred": {"AND": [condition("n", "gte", number // 3), condition("n", "lt", number // 3 + 100)]},
        "a range of four tenths": {"AND": [condition("n", "gte", number // 5), condition("n", "lt", 3 * number // 5)]},
        "AND of two": {"AND": [condition("kind", "eq", "k3"), condition("n", "gte", number // 2)]},
        "AND of three": {
            "AND": [condition("kind", "eq", "k3"), condition("n", "gte", number // 2), condition("tags", "eq", "t3")]
        },
        "AND of in and exists": {
            "AND": [condition("kind", "in", ["k0", "k1"]), condition("rare", "exists", True)],
        },
        "AND of two tenths, none": {"AND": [condition("kind", "eq", "k3"), condition("tags", "eq", "none")]},
        "OR inside AND": {
            "AND": [
                {"OR": [condition("kind", "eq", "k3"), condition("tags", "eq", "t3")]},
                condition("n", "gte", number // 2),
            ]
        },
        "OR of two": {"OR": [condition("user", "eq", "u42"), condition("rare", "exists", True)]},
    }


class _Postgres:
    """What PostgreSQL spends, less what it spends on the scheduler and the workers when nobody calls."""

    def __init__(self, data: str) -> None:
        self._data = data
        self._idly = 0.0
        self._idly = self._spent_in(lambda: time.sleep(_IDLE_SECONDS)) / _IDLE_SECONDS

    def _spent_in(self, act: Callable[[], None]) -> float:
        """Return the milliseconds of processor time that PostgreSQL spent meanwhile."""
        before, began = postgres_milliseconds(self._data), time.perf_counter()
        act()
        took = time.perf_counter() - began
        return postgres_milliseconds(self._data) - before - self._idly * took

    def spent_on(self, call: Callable[[], object], times: int) -> float:
        """Return what one call cost of several."""

        def repeat() -> None:
            for _ in range(times):
                call()

        return max(0.0, self._spent_in(repeat) / times)


def _times(calls: _Calls, postgres: _Postgres, declared: int, filters: Any, times: int) -> tuple[list[float], float]:
    """Return how long each call took after a first, and what PostgreSQL spent on one, in milliseconds."""
    took: list[float] = []

    def call() -> None:
        began = time.perf_counter()
        calls.post("/collections/things/documents/list", {"filters": filters}, namespace=f"{_NAMESPACE}_{declared}")
        took.append(1000 * (time.perf_counter() - began))

    call()
    spent = postgres.spent_on(call, times)
    return took[1:], spent


if __name__ == "__main__":
    main()

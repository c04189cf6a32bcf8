"""Retrieval with and without a map: the same questions, plain, narrowed to groups, spread over them, and counted.

A k-means run of 50 groups over the collection of the index is the map. Each question is asked in every form one after
another, so that what else the machine does falls on all forms alike; the forms begin anew with every question, so
that no form always follows the same other. Milliseconds of one client on loopback: the median, and the 95th of 100.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import OK, HTTPConnection
from itertools import islice
from typing import Any

from benchmarks._installation import Client

GROUPS = 50
QUESTIONS = 40
_COLUMNS = ("plain", "told", "one group", "ten groups", "one group + filter", "two a group", "grouped + facets")

Say = Callable[[str], None]
Ask = Callable[[str, dict[str, Any], dict[str, Any]], Any]


def run_map(address: str, client: Client, index_id: str) -> str:
    """Cluster the collection of an index, and return the id of the run."""
    collection_id = json.loads(client.raw("GET", f"/indexes/{index_id}"))["config"]["collection_id"]
    asked = {
        "collection_ids": [collection_id],
        "vector_config": {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": GROUPS}},
    }
    cluster = _call(address, "POST", "/v1/clusters", asked)["cluster_id"]
    started = _call(address, "POST", f"/v1/clusters/{cluster}/execute", {"visualization_dimensions": 2})
    while (task := _call(address, "GET", f"/v1/tasks/{started['task_id']}"))["status"] != "COMPLETED":
        if task["status"] in {"FAILED", "CANCELED"}:
            raise RuntimeError(str(task))
        time.sleep(0.5)
    return str(started["additional_data"]["run_id"])


def compare(ask: Ask, run_id: str, strategies: dict[str, dict[str, Any]], questions: Iterator[str], say: Say) -> None:
    """Print a table of the strategies, asked in every form."""
    began = time.perf_counter()
    page = ask("first of all", {"type": "bm25", "k": 1000}, {"map": {"run_id": run_id, "facets": True}})
    first = 1000 * (time.perf_counter() - began)
    groups = [one["group"]["group_id"] for one in page["map"]["facets"] if one["group"]["group_id"]]
    say(f"The first question about a map of {GROUPS} groups, which reads who is in which: {first:.0f} ms.\n")
    say("| strategy | " + " | ".join(_COLUMNS) + " |")
    say("|---|" + "---|" * len(_COLUMNS))
    for name, strategy in strategies.items():
        times = _timed(ask, strategy, _forms(run_id, groups), list(islice(questions, QUESTIONS)))
        shown = (f"{statistics.median(one):.1f} ({statistics.quantiles(one, n=20)[-1]:.1f})" for one in times)
        say(f"| {name} | " + " | ".join(shown) + " |")
    say("")


def _forms(run_id: str, groups: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is asked beside the question, by column."""
    even = {"field": "position", "operator": "lt", "value": 50_000}
    return [
        {},
        {"map": {"run_id": run_id}},
        {"map": {"run_id": run_id, "group_ids": list(groups[:1])}},
        {"map": {"run_id": run_id, "group_ids": list(groups[:10])}},
        {"map": {"run_id": run_id, "group_ids": list(groups[:1])}, "filter": even},
        {"map": {"run_id": run_id, "max_per_group": 2}},
        {"map": {"run_id": run_id, "grouped": True, "facets": True}},
    ]


def _timed(
    ask: Ask, strategy: dict[str, Any], forms: Sequence[dict[str, Any]], questions: Sequence[str]
) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in forms]
    for form in forms:
        ask("warm up first", strategy, form)
    for number, question in enumerate(questions):
        for place in range(len(forms)):
            # each form has words of its own, or the next would find the files of the words warm
            at = (number + place) % len(forms)
            began = time.perf_counter()
            ask(f"{question} {at}", strategy, forms[at])
            times[at].append(1000 * (time.perf_counter() - began))
    return times


def _call(address: str, method: str, path: str, body: object = None) -> Any:
    connection = HTTPConnection(address, timeout=600)
    connection.request(method, path, None if body is None else json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != OK:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
    return json.loads(content)

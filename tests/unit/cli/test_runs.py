from __future__ import annotations

from unittest.mock import Mock

import pytest
import typer

from shoald.cli import runs
from shoald.cli.rest_client import RestClient, RestError

SAME = {"of": "run_a", "same_labels": True, "documents": 9, "differing": 0, "adjusted_rand_index": 1.0, "examples": []}


def client_that_ends(status: str, replay: dict[str, object] | None = None) -> Mock:
    client = Mock(spec=RestClient)
    client.post.return_value = {"task_id": "t1"}
    task = {"status": status, "error": "why", "additional_data": {"run_id": "run_b"}}
    client.get.side_effect = lambda path: task if path.startswith("/v1/tasks") else {"replay": replay}
    return client


def test_a_run_is_repeated_and_compared() -> None:
    client = client_that_ends("COMPLETED", SAME)
    assert runs.repeated(client, "topics", "run_a") == {**SAME, "run_id": "run_b"}
    client.post.assert_called_with("/v1/clusters/topics/executions/run_a/replay")


def test_a_run_that_cannot_be_repeated_is_an_error() -> None:
    with pytest.raises(RestError, match="FAILED: why"):
        runs.repeated(client_that_ends("FAILED"), "topics", "run_a")


def test_differences_are_listed() -> None:
    different = {
        **SAME,
        "run_id": "run_b",
        "same_labels": False,
        "differing": 1,
        "adjusted_rand_index": 0.5,
        "examples": [{"document_id": "d1", "was": "cl_0", "is": "-1"}],
    }
    assert runs.told(different).splitlines() == [
        "run_b differs from run_a: 1 of 9 documents have another label (adjusted Rand index 0.5000)",
        "  d1: was cl_0, is -1",
    ]


def test_only_what_there_is_can_be_done() -> None:
    with pytest.raises(typer.BadParameter):
        runs.runs("forget", "topics")

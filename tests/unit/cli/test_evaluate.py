"""What `shoal evaluate` tells of what it does not measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import typer

from shoald.cli import evaluate as command
from shoald.cli.rest_client import RestClient, RestError


class Server(RestClient):
    """Has one project without an index; what is to be evaluated is noted, and refused."""

    asked: ClassVar[list[Any]] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, path: str, **params: Any) -> Any:
        del params
        return [] if path.endswith("/indexes") else [{"name": "notes", "project_id": "p1"}]

    def post(self, path: str, body: Any = None) -> Any:
        del path
        self.asked.append([one["strategy"]["type"] for one in body["strategies"]])
        raise RestError("enough")


@pytest.mark.parametrize(("strategies", "is_told"), [(None, True), (["fuzzy"], False)])
def test_strategies_that_need_an_index_are_named_when_there_is_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    strategies: list[str] | None,
    *,
    is_told: bool,
) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"query": "who?", "expected": ["keeper"]}\n')
    monkeypatch.setattr(command, "RestClient", Server)
    with pytest.raises(typer.Exit):
        command.evaluate(questions, project="notes", strategy=strategies, build=None, k="1", url="http://x")
    told = capsys.readouterr().err
    assert ("left out: vector, and bm25 and vector together" in told) == is_told
    assert Server.asked[-1] == (strategies or ["bm25"])

"""What `shoal evaluate` is given."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from shoald.cli.evaluate import _aimed, _newest_build
from shoald.cli.evaluation_input import BadInput, read_questions, read_strategy, usual_strategies
from shoald.cli.rest_client import RestClient


def test_questions_are_lines_and_texts_are_short_for_objects(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(
        '{"query": "a", "expected": "x"}\n\n{"query": "b", "expected": [{"item_id": "i"}], "question_id": "2"}\n'
    )
    assert read_questions(file) == [
        {"query": "a", "expected": [{"text": "x"}]},
        {"query": "b", "expected": [{"item_id": "i"}], "question_id": "2"},
    ]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"expected": "x"}',
        '{"query": 1, "expected": "x"}',
        '{"query": "a"}',
        '{"query": "a", "expected": []}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f'{{"query": "a", "expected": "x"}}\n{line}\n')
    with pytest.raises(BadInput, match=r"questions\.jsonl, line 2: "):
        read_questions(file)


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("\n")
    with pytest.raises(BadInput, match="holds no questions"):
        read_questions(file)


def test_a_strategy_that_is_no_json_is_named() -> None:
    with pytest.raises(BadInput, match="--strategy x="):
        read_strategy("x={")


def test_strategies_that_need_vectors_get_the_build() -> None:
    words, vectors, both = _aimed(usual_strategies(has_build=True), "b1")
    assert "target" not in words
    assert (vectors["target_id"], both["target_id"]) == ("b1", "b1")


def test_without_a_build_vectors_are_refused_and_words_are_usual() -> None:
    assert usual_strategies(has_build=False) == [{"strategy": {"type": "bm25"}}]
    with pytest.raises(BadInput, match="no index build"):
        _aimed([read_strategy("vector")], None)


def test_the_newest_active_build_is_taken() -> None:
    client = Mock(spec=RestClient)
    builds = [
        {"build_id": "old", "is_active": True, "created_at": "2026-01-01"},
        {"build_id": "failed", "is_active": False, "created_at": "2026-01-03"},
        {"build_id": "new", "is_active": True, "created_at": "2026-01-02"},
    ]
    client.get.side_effect = [[{"index_id": "i"}], builds]
    assert _newest_build(client, "p") == "new"


def test_lines_end_where_files_end_them(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes('\ufeff{"query": "a\u2028b", "expected": "x"}\r\n{"query": "c\u0085", "expected": "y"}'.encode())
    assert [question["query"] for question in read_questions(file)] == ["a\u2028b", "c\u0085"]


def test_a_file_in_another_encoding_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes('{"query": "é", "expected": "x"}'.encode("latin-1"))
    with pytest.raises(BadInput, match="UTF-8"):
        read_questions(file)

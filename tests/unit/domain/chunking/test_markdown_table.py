"""The markdown_table strategy: tables and what stands between them."""

from __future__ import annotations

import time

import pytest

from shoald.domain.chunking import TableSpan, chunker
from shoald.domain.failures import InvalidChunkerParams

TABLE = "| a | b |\n|---|:-:|\n| 1 | 2 |"


def cut(text: str) -> list[tuple[str, str]]:
    spans = chunker("markdown_table", {})(text)
    return [("table" if isinstance(span, TableSpan) else "text", text[span[0] : span[1]]) for span in spans]


def test_tables_and_the_text_between_alternate() -> None:
    text = f"# Prices\n\n{TABLE}\n\nmiddle\n{TABLE}\nend\n"
    assert cut(text) == [("text", "# Prices"), ("table", TABLE), ("text", "middle"), ("table", TABLE), ("text", "end")]


@pytest.mark.parametrize(
    "table",
    [
        "a|b\n-|-",
        "| a |\n|---|\n| 1 |",
        "| a | b |\n| --- | --- |",
        "   | a | b |\n   |---|---|\n   | 1 | 2 |",
        "| a \\| x | b |\n|---|---|\n| 1 | 2 \\| 3 |",
        "| a | b |\r\n|---|---|\r\n| 1 | 2 |",
    ],
)
def test_forms_of_tables(table: str) -> None:
    assert cut(table) == [("table", table)]


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{TABLE}\n```",
        f"~~~ md\n{TABLE}\n~~~\nafter",
        f"````\n```\n{TABLE}\n```\n````",
        f"```\n{TABLE}",
        "    | a | b |\n    |---|---|",
        "a heading\n---------",
        "| a | b |\n|---|",
        "| a | b |\nno delimiter |",
        "a sentence with a | pipe",
    ],
)
def test_what_only_looks_like_a_table_is_text(text: str) -> None:
    assert cut(text) == [("text", text)]


def test_a_table_ends_with_a_line_without_a_pipe_or_another_block() -> None:
    assert cut(f"{TABLE}\nthe next line") == [("table", TABLE), ("text", "the next line")]
    assert cut(f"{TABLE}\n> quote | here") == [("table", TABLE), ("text", "> quote | here")]


def test_after_a_fence_tables_are_tables_again() -> None:
    assert cut(f"```\nx\n```\n{TABLE}") == [("text", "```\nx\n```"), ("table", TABLE)]


@pytest.mark.parametrize("text", ["", " \n\n", "\t"])
def test_a_blank_text_has_no_chunk(text: str) -> None:
    assert cut(text) == []


def test_any_parameter_is_refused() -> None:
    with pytest.raises(InvalidChunkerParams) as caught:
        chunker("markdown_table", {"chunk_size": 5})
    assert caught.value.detail["parameter"] == "chunk_size"


@pytest.mark.parametrize(
    "text", ["|" * 200_000, "|-" * 100_000, "a|b\n" * 50_000, f"{TABLE}\n\n" * 5_000, "|a\n" + "-|" * 100_000]
)
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.process_time()
    cut(text)
    assert time.process_time() - began < 2

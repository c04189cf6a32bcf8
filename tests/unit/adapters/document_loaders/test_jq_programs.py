"""Which jq programs are refused before they run."""

from __future__ import annotations

import pytest

from shoald.adapters.document_loaders.jq_programs import run, words
from shoald.adapters.document_loaders.reading import UnusableFile


@pytest.mark.parametrize(
    "program",
    [
        "env",
        "$ENV.PATH",
        "$ENV",
        ".a | env.HOME",
        '"\\(env)"',
        '"a \\("b \\($ENV)" | length) c"',
        "[.[] | input]",
        "inputs",
        'import "a" as a; .',
        'include "a"; .',
        "debug",
        'debug("x")',
        "stderr",
        "halt",
        "halt_error",
        "input_filename",
        "input_line_number",
        '"x" | modulemeta',
        "get_search_list",
        "$__prog_args",
        "{a: env}",
        "{(env): 1}",
        "# harmless\nenv",
        "if .a then env else . end",
    ],
)
def test_a_program_that_reaches_outside_the_file_is_refused(program: str) -> None:
    with pytest.raises(UnusableFile, match="may not use"):
        list(run(program, "{}", 1.0))


@pytest.mark.parametrize(
    "program",
    [
        ".env",
        ".a.input",
        '.["env"]',
        "{env: 1}",
        '"env (input) debug"',
        "# env",
        '{"env": 1}',
        '"\\"env"',
        "def enviable: 1; enviable",
    ],
)
def test_a_field_a_key_a_text_or_a_comment_of_such_a_name_is_fine(program: str) -> None:
    assert not {"env", "input", "debug"} & set(words(program))
    list(run(f"({program}\n)?" if not program.startswith("#") else f"{program}\n.", "{}", 1.0))


def test_outputs_are_json() -> None:
    assert list(run(".[]", '[1, "a", {"b": null}]', 1.0)) == ["1", '"a"', '{"b":null}']


def test_a_whole_number_keeps_its_digits() -> None:
    assert list(run(".", "123456789012345678", 1.0)) == ["123456789012345678"]

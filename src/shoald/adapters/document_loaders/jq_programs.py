"""Runs a stranger's jq program over a text, each step under a clock.

It must run in a child that may be killed: jq does not come back from an endless program, and an alarm ends the process.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator

import jq

from shoald.adapters.document_loaders.reading import UnusableFile

MAX_PROGRAM_CHARACTERS = 10_000
MAX_FILE_CHARACTERS = 128 * 1024 * 1024
PARSE_CHARACTERS_PER_SECOND = 5_000_000
"""What is added for the first output, which waits for the file to be parsed."""
STEPS_IN_ALL = 2
WORK_CHARACTERS_PER_SECOND = 500_000
"""All outputs together have the time of so many steps, and this pace besides: little steps may be endless too."""

# a timer of nothing would never ring
_SHORTEST = 0.000_001
# Words that reach outside the file, or whose output a segment has no place for.
_REFUSED = frozenset(
    {"env", "$ENV", "import", "include", "input", "inputs", "input_filename", "input_line_number", "debug", "stderr"}
    | {"halt", "halt_error", "modulemeta", "get_search_list", "$__prog_args", "$__prog_name", "$__loc__"}
)
_WORD = re.compile(r"\.?[$@]?[A-Za-z_]\w*(?:::\w+)*\s*:?|#[^\n]*|[\"()]", re.ASCII)


def run(program: str, text: str, step_seconds: float) -> Iterator[str]:
    """Yield each output as JSON; raises `UnusableFile` for a program or a file that cannot be used.

    A program that takes longer than `step_seconds` to its next output, or too long in all, ends the process by SIGALRM.
    What its caller does between two outputs does not count.
    """
    _check(program, text)
    seconds = step_seconds + len(text) / PARSE_CHARACTERS_PER_SECOND
    left = STEPS_IN_ALL * step_seconds + len(text) / WORK_CHARACTERS_PER_SECOND
    try:
        jq.compile(program)
        outputs = iter(jq.compile(f"({program}\n) | tojson").input_text(text))
        while True:
            # the default action of this alarm ends the process; the parent says so to the user
            began = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, max(min(seconds, left), _SHORTEST))
            output = next(outputs, None)
            signal.setitimer(signal.ITIMER_REAL, 0)
            left -= time.monotonic() - began
            if output is None:
                return
            yield output
            seconds = step_seconds
    except ValueError as error:
        raise UnusableFile(_reason(str(error))) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _check(program: str, text: str) -> None:
    if len(program) > MAX_PROGRAM_CHARACTERS:
        raise UnusableFile(f"loader_params.jq_schema is longer than {MAX_PROGRAM_CHARACTERS} characters")
    if "\0" in program:
        raise UnusableFile("loader_params.jq_schema contains a NUL character")
    for word in words(program):
        if word in _REFUSED:
            raise UnusableFile(f"loader_params.jq_schema may not use {word!r}")
    if len(text) > MAX_FILE_CHARACTERS:
        raise UnusableFile(
            f"the file is too large for a jq program ({MAX_FILE_CHARACTERS:,} characters at most); "
            "without one, or with '.', a list of any length can be loaded"
        )


def _reason(message: str) -> str:
    first = " ".join(message.replace("jq: ", "").split())[:300]
    if "parse error" in first:
        return f"the file is not valid JSON: {first}"
    return f"loader_params.jq_schema does not work: {first}"


def words(program: str) -> Iterator[str]:
    r"""Yield the words of a program that are names or variables: not fields, keys, comments, or text in quotes.

    >>> list(words('.env | {env: 1} | "env \\(input)" | map(env) # debug'))
    ['input', 'map', 'env']
    """
    # each open quote or interpolation is one entry; the depth of parentheses within an interpolation is its number
    depths: list[int] = []
    in_text = False
    at = 0
    while at < len(program):
        if in_text:
            at, ended, opened = _through_text(program, at)
            in_text = not (ended or opened)
            if opened:
                depths.append(0)
            continue
        match = _WORD.search(program, at)
        if match is None:
            return
        at, word = match.end(), match.group()
        if word == '"':
            in_text = True
        elif word == "(" and depths:
            depths[-1] += 1
        elif word == ")" and depths:
            depths[-1] -= 1
            if depths[-1] < 0:
                depths.pop()
                in_text = True
        elif word[0] not in ".@#()" and not word.endswith(":"):
            yield word.strip()


def _through_text(program: str, at: int) -> tuple[int, bool, bool]:
    """Go on within quotes; return the place after, whether the quotes ended, whether an interpolation began."""
    while at < len(program):
        character = program[at]
        if character == '"':
            return at + 1, True, False
        if character == "\\":
            if program[at + 1 : at + 2] == "(":
                return at + 2, False, True
            at += 1
        at += 1
    return at, True, False

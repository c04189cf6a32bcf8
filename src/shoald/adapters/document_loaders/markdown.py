"""Markdown to sections by heading, with tables, code and pictures as segments of their own.

Every text is a verbatim piece of the file. Only what makes structure is looked at: headings of both forms, fences, pipe
tables, pictures; the file is gone through line by line.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from shoald.adapters.document_loaders.items import Item, picture_of
from shoald.adapters.document_loaders.outline import Outline, OutlineStyle
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import whole_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\r?\n?$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*\r?\n?$")
_FENCE = re.compile(r"[ \t]*(?:[-*+>]?[ \t]*)(`{3,}|~{3,})[ \t]*([^\r\n`]*)")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\r?\n?$")
_PICTURE = re.compile(r"!\[([^\]\n]{0,2000})\]\(\s*(<[^>\n]*>|[^\s)]{1,4000000})(?:\s+\"[^\"\n]*\")?\s*\)")
_BLOCK_STARTS = ("#", ">", "-", "*", "+", "|", "`", "~", "    ", "\t")

MAX_STRUCTURE_CHARACTERS = 2000
"""A longer line is no heading, fence or rule: the patterns above take the square of a line of blanks."""

_Line = tuple[str, int]
"""A line with its end, and where it begins."""


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the sections and what stands between their texts, in order; raises `UnusableFile`."""
    check_names(params, ())
    yield from sections(whole_text(file), source)


def sections(text: str, source: str) -> Iterator[Item]:
    """Yield the segments of a Markdown text."""
    outline = Outline(source, OutlineStyle(original_format="markdown", unit="char", separator=""))
    lines = _lines(text)
    at = _front_matter(lines, outline)
    while at < len(lines):
        for take in (_fenced, _table, _headed):
            taken = take(lines, at)
            if taken is not None:
                count, give = taken
                yield from give(outline)
                at += count
                break
        else:
            yield from _plain(lines[at], outline)
            at += 1
    yield from outline.end()


def _lines(text: str) -> list[_Line]:
    lines, at = [], 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        lines.append((line, at))
        at += len(line)
    return lines


def _front_matter(lines: list[_Line], outline: Outline) -> int:
    """Take the block between `---` lines at the start as text, since its last line would make it a heading."""
    if not lines or lines[0][0].rstrip() != "---":
        return 0
    end = next((at for at, (line, _) in enumerate(lines[1:200], 1) if line.rstrip() in {"---", "..."}), 0)
    for line in lines[: end + 1] if end else []:
        outline.text(line[0], (line[1], line[1] + len(line[0])))
    return end + 1 if end else 0


def _fenced(lines: list[_Line], at: int) -> tuple[int, Any] | None:
    match = _FENCE.match(lines[at][0][:MAX_STRUCTURE_CHARACTERS])
    if match is None:
        return None
    fence, language = match.group(1), (match.group(2).split() or [""])[0].strip("{}.")
    end = at + 1
    while end < len(lines) and not _closes(lines[end][0], fence):
        end += 1
    inner = lines[at + 1 : end]
    code = "".join(line for line, _ in inner)
    start = lines[at][1] + len(lines[at][0])
    more = {"language": language.lower()} if language else {}
    if not code.strip():
        # the text behind it is no verbatim going on of the text before
        return min(end + 1, len(lines)) - at, Outline.end
    content = code.rstrip("\r\n")
    place = (start, start + len(content))
    return min(end + 1, len(lines)) - at, lambda outline: outline.part(content, "code", "text", place, **more)


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip().lstrip("> \t")
    return len(stripped) >= len(fence) and not stripped.strip(fence[0])


def _table(lines: list[_Line], at: int) -> tuple[int, Any] | None:
    if at + 1 == len(lines) or "|" not in lines[at][0] or lines[at][0].startswith("    "):
        return None
    rule = lines[at + 1][0]
    if "|" not in rule or len(rule) > MAX_STRUCTURE_CHARACTERS or not _TABLE_RULE.match(rule):
        return None
    end = at + 2
    while end < len(lines) and "|" in lines[end][0]:
        end += 1
    start = lines[at][1]
    content = "".join(line for line, _ in lines[at:end]).rstrip()
    more = {"row_count": end - at - 2}
    place = (start, start + len(content))
    return end - at, lambda outline: outline.part(content, "table", "markdown", place, **more)


def _headed(lines: list[_Line], at: int) -> tuple[int, Any] | None:
    line, start = lines[at]
    if len(line) > MAX_STRUCTURE_CHARACTERS:
        return None
    match = _HEADING.match(line)
    if match is not None:
        title = (match.group(2) or "").strip()
        if not title:
            return None
        place = (start, start + len(line))
        return 1, lambda outline: outline.heading(len(match.group(1)), title, line, place)
    if not line.strip() or line.startswith(_BLOCK_STARTS) or at + 1 == len(lines):
        return None
    under = _UNDERLINE.match(lines[at + 1][0])
    if under is None or (at and lines[at - 1][0].strip()):
        return None
    both = line + lines[at + 1][0]
    level = 1 if under.group(1)[0] == "=" else 2
    return 2, lambda outline: outline.heading(level, line.strip(), both, (start, start + len(both)))


def _plain(line: _Line, outline: Outline) -> Iterator[Item]:
    """Take a line of text; a picture that is in the file itself parts the text, since its letters are no words."""
    text, start = line
    done = 0
    for match in _PICTURE.finditer(text) if "![" in text else ():
        url = match.group(2).strip("<>")
        place = (start + match.start(), start + match.end())
        if not url.startswith("data:"):
            outline.picture(match.group(1), None, place, url=url)
            continue
        outline.text(text[done : match.start()], (start + done, start + match.start()))
        outline.picture(match.group(1), picture_of(data_of(url)), place)
        done = match.end()
        yield from outline.end()
    outline.text(text[done:], (start + done, start + len(text)))


def data_of(url: str) -> bytes | None:
    """Return the bytes of a `data:` URL in Base64, None for any other URL: nothing is fetched."""
    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        return base64.b64decode(body, validate=False)
    except (binascii.Error, ValueError):
        return None

"""Questions and answers to one segment per question; a question begins with `Q:` at the start of a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import UnusableFile, clean, whole_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

_QUESTION = re.compile(r"^[ \t]*Q:", re.MULTILINE)
_ANSWER = re.compile(r"^[ \t]*A:", re.MULTILINE)


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the text before the first question, if there is any, then each question; raises `UnusableFile`."""
    check_names(params, ())
    text = whole_text(file)
    starts = [match.start() for match in _QUESTION.finditer(text)]
    if not starts:
        if not text.strip():
            return
        raise UnusableFile("the file holds no question: no line begins with 'Q:'")
    if preamble := text[: starts[0]].strip():
        at = text.index(preamble)
        yield Item(clean(preamble), {"source": source, "char_start": at, "char_end": at + len(preamble)})
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield _pair(text[start:end].rstrip(), start, source)


def _pair(block: str, start: int, source: str) -> Item:
    parts = _ANSWER.split(block, maxsplit=1)
    question = _QUESTION.sub("", parts[0], count=1).strip()
    answer = parts[1].strip() if len(parts) > 1 else ""
    metadata = {"source": source, "type": "qa", "question": clean(question), "answer": clean(answer)}
    content = f"Q: {question}\nA: {answer}" if len(parts) > 1 else f"Q: {question}"
    return Item(clean(content), metadata | {"char_start": start, "char_end": start + len(block)})

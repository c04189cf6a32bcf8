"""HTML to sections by heading, with tables, code and pictures as segments of their own; nothing is fetched.

The file is gone through from start to end, so that what is badly nested is read all the same, in flat depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from shoald.adapters.document_loaders.html_tables import TableGrid
from shoald.adapters.document_loaders.items import Item, picture_of
from shoald.adapters.document_loaders.markdown import data_of
from shoald.adapters.document_loaders.outline import Outline, OutlineStyle, Place
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import whole_text
from shoald.adapters.document_loaders.tables import markdown_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    Attributes = list[tuple[str, str | None]]

FEED_CHARACTERS = 64 * 1024
MAX_LIST_DEPTH = 8
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "math", "select", "iframe", "object"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "br", "center", "dd", "details", "dialog", "div", "dl"),
        *("dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html", "legend", "li"),
        *("main", "menu", "nav", "ol", "option", "p", "search", "section", "summary", "ul"),
    )
)
_CODE = frozenset({"pre", "listing", "xmp"})
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight-source)-([\w+#-]+)")
_VOID = frozenset(
    (*("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"),)
)


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the sections and what stands between their texts, in order; raises `UnusableFile`."""
    check_names(params, ())
    yield from sections(whole_text(file, declared=True), source)


def sections(text: str, source: str) -> Iterator[Item]:
    """Yield the segments of an HTML text."""
    reader = _Reader(source, text)
    for start in range(0, len(text), FEED_CHARACTERS):
        reader.feed(text[start : start + FEED_CHARACTERS])
        yield from reader.taken()
    reader.close()
    reader.finish()
    yield from reader.taken()


class _Reader(HTMLParser):
    """Hears of tags and texts; keeps what kind of place it is in by counts, never a tree."""

    def __init__(self, source: str, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._outline = Outline(source, OutlineStyle(original_format="html", unit="char", separator="\n"))
        self._items: list[Item] = []
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._length = len(text)
        self._unseen: list[str] = []
        self._lists: list[int | None] = []
        self._heading = 0
        self._indentation = ""
        # the mark of a list's item was put down, and no word yet
        self._mark_alone = False
        self._code_depth, self._language = 0, ""
        self._table: TableGrid | None = None
        self._tables_within = 0
        self._words: list[str] = []
        self._start: int | None = None

    def taken(self) -> list[Item]:
        """Return what was found since the last call."""
        items, self._items = self._items, []
        return items

    def finish(self) -> None:
        """End what the file left open."""
        if self._table is not None:
            self._tables_within = 0
            self._end_table()
        self._end_block()
        self._items.extend(self._outline.end())

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag in _UNSEEN and tag != "head":
            self._unseen.append(tag)
        if self._unseen:
            return
        if tag == "img":
            self._picture(dict(attrs))
        elif tag == "table":
            self._begin_table()
        elif self._table is not None:
            self._within_table(tag, dict(attrs))
        elif tag in _CODE:
            self._begin_code(dict(attrs))
        elif self._code_depth:
            self._note_language(dict(attrs))
        else:
            self._begin(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag in self._unseen:
                del self._unseen[self._unseen.index(tag) :]
            return
        if tag == "table" and self._table is not None:
            self._end_table()
        elif self._table is not None:
            if tag in _BLOCKS:
                self._table.text("\n")
        elif tag in _CODE and self._code_depth:
            self._end_code()
        elif not self._code_depth:
            self._end(tag)

    def handle_data(self, data: str) -> None:
        if self._unseen or not data:
            return
        if self._table is not None:
            self._table.text(data)
            return
        if self._start is None:
            if data.isspace() and not self._code_depth:
                return
            self._start = self._at()
        if self._mark_alone and data.isspace():
            return
        self._mark_alone = False
        self._words.append(data)

    def _at(self) -> int:
        line, column = self.getpos()
        return self._line_starts[min(line, len(self._line_starts)) - 1] + column

    def _begin(self, tag: str) -> None:
        if tag == "title" or tag in _HEADINGS:
            self._end_block()
            self._heading = _HEADINGS.get(tag, 0)
        elif tag in _BLOCKS:
            # within a heading a line break is a blank
            if self._heading and tag == "br":
                self._words.append(" ")
                return
            # a paragraph that begins a list's item stands behind its mark
            if self._mark_alone and tag not in {"ul", "ol", "menu", "li"}:
                return
            self._end_block()
            if tag in {"ul", "ol", "menu"}:
                self._lists.append(0 if tag == "ol" else None)
            elif tag == "li":
                self._mark()

    def _end(self, tag: str) -> None:
        if tag == "title":
            # the name of the page in the browser is no text of it
            self._words, self._start = [], None
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._end_block()
            if tag in {"ul", "ol", "menu"} and self._lists:
                self._lists.pop()

    def _mark(self) -> None:
        depth = max(len(self._lists) - 1, 0)
        mark = "- "
        if self._lists and (count := self._lists[-1]) is not None:
            self._lists[-1] = count + 1
            mark = f"{count + 1}. "
        self._start = self._at()
        self._indentation = "  " * min(depth, MAX_LIST_DEPTH)
        self._words.append(mark)
        self._mark_alone = True

    def _end_block(self) -> None:
        raw, place = self._block()
        level, self._heading = self._heading, 0
        indentation, self._indentation = self._indentation, ""
        text = "" if self._mark_alone else " ".join(raw.split())
        self._mark_alone = False
        if not text:
            return
        if level:
            self._items.extend(self._outline.heading(level, text, text, place))
        else:
            self._outline.text(indentation + text, place)

    def _block(self) -> tuple[str, Place]:
        raw, start = "".join(self._words), self._start
        self._words, self._start = [], None
        return raw, None if start is None else (start, min(self._at(), self._length))

    def _begin_code(self, attributes: dict[str, str | None]) -> None:
        if not self._code_depth:
            self._end_block()
            self._language = ""
            self._start = self._at()
        self._code_depth += 1
        self._note_language(attributes)

    def _note_language(self, attributes: dict[str, str | None]) -> None:
        match = _LANGUAGE.search(attributes.get("class") or "")
        if match is not None:
            self._language = match.group(1).lower()

    def _end_code(self) -> None:
        self._code_depth -= 1
        if self._code_depth:
            return
        raw, place = self._block()
        code = raw.removeprefix("\n").rstrip()
        more = {"language": self._language} if self._language else {}
        if code.strip():
            self._items.extend(self._outline.part(code, "code", "text", place, **more))

    def _picture(self, attributes: dict[str, str | None]) -> None:
        url, alt = attributes.get("src") or "", " ".join((attributes.get("alt") or "").split())
        if self._table is not None:
            self._table.text(f" {alt} ")
        picture = picture_of(data_of(url))
        more = {} if url.startswith("data:") or not url else {"url": url[:2000]}
        if alt or picture:
            self._outline.picture(alt, picture, (self._at(), self._at() + len(self.get_starttag_text() or "")), **more)

    def _begin_table(self) -> None:
        if self._table is not None:
            self._tables_within += 1
            return
        self._end_block()
        self._table = TableGrid()
        self._start = self._at()

    def _within_table(self, tag: str, attributes: dict[str, str | None]) -> None:
        table = self._table
        if table is None:
            return
        # the cells of a table within a cell are lines of that cell
        if self._tables_within:
            table.text("\n" if tag == "tr" else " / " if tag in {"td", "th"} else "")
        elif tag == "tr":
            table.row()
        elif tag in {"td", "th"}:
            table.cell(attributes.get("colspan"), attributes.get("rowspan"))
        elif tag in _BLOCKS:
            table.text("\n")

    def _end_table(self) -> None:
        if self._tables_within:
            self._tables_within -= 1
            return
        table, self._table = self._table, None
        _, place = self._block()
        rows = table.rows() if table else []
        if table is None or not rows:
            return
        more: dict[str, Any] = {"row_count": len(rows) - 1}
        if caption := table.caption():
            more["title"] = caption
        content = markdown_table(rows[0], rows[1:])
        self._items.extend(self._outline.part(content, "table", "markdown", place, **more))

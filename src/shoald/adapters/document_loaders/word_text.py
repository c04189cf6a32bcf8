"""The words of Word: the text, pictures and notes of a paragraph, and the cells of a table, as a reader sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from shoald.adapters.document_loaders.archives import RELATIONSHIP, Element, attribute, child, children, local

# deleted text, where text was moved from, the codes of fields, and what repeats other content for older programs
_SKIPPED = frozenset({"del", "moveFrom", "instrText", "delText", "Fallback", "rPr", "pPr", "sdtPr"})
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": ""}
MAX_COLUMNS = 1000
MAX_CELLS = 2_000_000
MAX_DEPTH = 40


@dataclass(slots=True)
class Picture:
    """A picture in a paragraph: its alternative text, and the relationship that leads to its bytes."""

    alt: str
    relation: str | None


@dataclass(slots=True)
class Paragraph:
    """What is in a paragraph."""

    text: str = ""
    pictures: list[Picture] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(kind, id) of each note that is referred to; kind is `footnote` or `endnote`."""


def read_paragraph(element: Element) -> Paragraph:
    """Read a paragraph, text boxes in it included."""
    found = Paragraph()
    found.text = "".join(_words(element, found, 0))
    return found


def _words(element: Element, found: Paragraph, depth: int) -> Iterator[str]:
    for part in children(element) if depth < MAX_DEPTH else ():
        name = local(part)
        if name in _SKIPPED:
            continue
        if name == "t":
            yield part.text or ""
        elif name in _SIGNS:
            yield _SIGNS[name]
        elif name in {"footnoteReference", "endnoteReference"}:
            yield _noted(part, name.removesuffix("Reference"), found)
        elif name in {"docPr", "shape", "imagedata", "blip"}:
            _pictured(part, name, found)
            yield from _words(part, found, depth + 1)
        elif name == "p":
            yield "\n"
            yield from _words(part, found, depth + 1)
        else:
            yield from _words(part, found, depth + 1)


def _noted(part: Element, kind: str, found: Paragraph) -> str:
    identifier = attribute(part, "id") or ""
    found.notes.append((kind, identifier))
    return note_mark(kind, identifier)


def note_mark(kind: str, identifier: str) -> str:
    """Return what stands for a note in the text.

    >>> note_mark("footnote", "2"), note_mark("endnote", "1")
    ('[^2]', '[^e1]')
    """
    return f"[^{'e' if kind == 'endnote' else ''}{identifier}]"


def _pictured(part: Element, name: str, found: Paragraph) -> None:
    """Note a drawing when its description comes, and its bytes when they come after it."""
    if name == "docPr":
        found.pictures.append(Picture(part.get("descr") or part.get("title") or "", None))
    elif name == "shape":
        if any(local(inner) == "imagedata" for inner in part.iter()):
            found.pictures.append(Picture(part.get("alt") or "", None))
    elif found.pictures and found.pictures[-1].relation is None:
        found.pictures[-1].relation = part.get(f"{RELATIONSHIP}embed") or part.get(f"{RELATIONSHIP}id")


def blocks(element: Element) -> Iterator[Element]:
    """Yield the paragraphs and tables of a body or a cell, those in content controls and insertions too."""
    for part in children(element):
        name = local(part)
        if name in {"p", "tbl"}:
            yield part
        elif name in {"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "AlternateContent", "Choice"}:
            yield from blocks(part)


def read_table(table: Element, depth: int = 0) -> list[list[str]]:
    """Return the cells of a table, row by row; a merged cell has its text in each place that it covers."""
    rows: list[list[str]] = []
    for row in _within(table, "tr"):
        above = rows[-1] if rows else []
        rows.append(_cells(row, above, depth))
    return rows


def _cells(row: Element, above: list[str], depth: int) -> list[str]:
    cells: list[str] = [""] * _span(child(row, "trPr", "gridBefore"), least=0)
    for cell in _within(row, "tc"):
        properties = child(cell, "tcPr")
        merge = child(properties, "vMerge")
        if merge is not None and attribute(merge, "val") != "restart":
            text = above[len(cells)] if len(cells) < len(above) else ""
        else:
            text = cell_text(cell, depth)
        cells += [text] * _span(child(properties, "gridSpan"), least=1)
        if len(cells) > MAX_COLUMNS:
            return cells[:MAX_COLUMNS]
    return cells


def cell_text(cell: Element, depth: int) -> str:
    """Return the text of a cell; a table within it becomes lines of cells with slashes between."""
    texts = []
    for block in blocks(cell):
        if local(block) == "p":
            texts.append(read_paragraph(block).text)
        elif depth < MAX_DEPTH:
            texts += [" / ".join(inner) for inner in read_table(block, depth + 1)]
    return "\n".join(text for text in texts if text.strip())


def _within(element: Element, name: str) -> Iterator[Element]:
    for part in children(element):
        if local(part) == name:
            yield part
        elif local(part) in {"sdt", "sdtContent", "ins", "customXml"}:
            yield from _within(part, name)


def _span(element: Element | None, *, least: int) -> int:
    text = (attribute(element, "val") or "") if element is not None else ""
    return max(least, min(int(text), MAX_COLUMNS)) if text.isdecimal() else least

"""Word documents to sections by heading, with tables and pictures as segments of their own, in document order.

A section's content is its heading line and the text below; its level is the heading's, its path the titles above. With
`regex_patterns` lines that match are headings too, and each section's text begins with that of the sections above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from shoald.adapters.document_loaders import word_text
from shoald.adapters.document_loaders.archives import Element, Package, attribute, child, children, local
from shoald.adapters.document_loaders.heading_patterns import HeadingPatterns, read_patterns
from shoald.adapters.document_loaders.items import Item, picture_of
from shoald.adapters.document_loaders.outline import Outline, OutlineStyle
from shoald.adapters.document_loaders.params import check_names, claim
from shoald.adapters.document_loaders.reading import UnusableFile
from shoald.adapters.document_loaders.tables import markdown_table
from shoald.adapters.document_loaders.word_styles import Lists, Styles, read_styles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

PIPE = "&#124;"


@dataclass(slots=True, kw_only=True)
class _Document:
    """What stands beside the text."""

    package: Package
    relations: dict[str, tuple[str, str]]
    styles: Styles
    lists: Lists
    patterns: HeadingPatterns
    notes: dict[tuple[str, str], str]
    tables: int = field(default=0)


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the sections, tables and pictures; raises `UnusableFile`."""
    check_names(params, ("regex_patterns", "exclude_patterns", "include_parent_content"))
    patterns = read_patterns(params)
    with_ancestors = claim(params, "include_parent_content", default=True) and patterns.are_given
    package = Package(file, "DOCX")
    main = package.main_part("word/document.xml")
    body = child(package.required_xml(main), "body")
    if body is None:
        raise UnusableFile("the file is no DOCX file: its main part has no body")
    relations = package.relations(main)
    styles, lists = read_styles(package, relations)
    document = _Document(
        package=package,
        relations=relations,
        styles=styles,
        lists=lists,
        patterns=patterns,
        notes=dict(_notes(package, relations)),
    )
    outline = Outline(source, OutlineStyle(unit="block", with_ancestors=with_ancestors))
    for number, block in enumerate(word_text.blocks(body), 1):
        if local(block) == "p":
            yield from _paragraph(document, outline, block, number)
        else:
            yield from _table(document, outline, block, number)
    yield from outline.end()


def _notes(package: Package, relations: dict[str, tuple[str, str]]) -> Iterator[tuple[tuple[str, str], str]]:
    for kind, part in relations.values():
        if kind not in {"footnotes", "endnotes"}:
            continue
        for note in children(package.xml(part), kind[:-1]):
            text = "\n".join(word_text.read_paragraph(block).text for block in word_text.blocks(note)).strip()
            yield (kind[:-1], attribute(note, "id") or ""), text


def _paragraph(document: _Document, outline: Outline, element: Element, number: int) -> Iterator[Item]:
    paragraph = word_text.read_paragraph(element)
    place = (number, number)
    level = document.styles.heading_level(element)
    if document.patterns.are_given:
        mark = _mark(document, element, paragraph.text)
        yield from _lines(document, outline, mark, paragraph.text, level=level, place=place)
    elif level is not None and paragraph.text.strip() and not document.patterns.excludes(paragraph.text):
        title = " ".join(paragraph.text.split())
        yield from outline.heading(level, title, paragraph.text.strip(), place)
    else:
        outline.text(_mark(document, element, paragraph.text) + paragraph.text, place)
    for kind, identifier in paragraph.notes:
        text = document.notes.get((kind, identifier), "")
        outline.text(f"{word_text.note_mark(kind, identifier)}: {text}", place)
    for picture in paragraph.pictures:
        _, part = document.relations.get(picture.relation or "", ("", ""))
        kept = picture_of(document.package.data(part) if part else None)
        if kept or picture.alt:
            outline.picture(picture.alt, kept, place)


def _mark(document: _Document, element: Element, text: str) -> str:
    place = document.styles.numbering(element) if text.strip() else None
    return document.lists.mark(*place) if place else ""


def _lines(
    document: _Document, outline: Outline, mark: str, text: str, *, level: int | None, place: tuple[int, int]
) -> Iterator[Item]:
    for line in text.split("\n"):
        found = document.patterns.heading(line)
        if found is not None:
            yield from outline.heading(*found, line.strip(), place)
        elif level is not None and line.strip() and not document.patterns.excludes(line):
            yield from outline.heading(level, " ".join(line.split()), line.strip(), place)
        else:
            outline.text(mark + line, place)
        mark = ""


def _table(document: _Document, outline: Outline, element: Element, number: int) -> Iterator[Item]:
    rows = word_text.read_table(element)
    if not any(cell.strip() for row in rows for cell in row):
        return
    content = markdown_table(rows[0], rows[1:], pipe=PIPE)
    index, document.tables = document.tables, document.tables + 1
    yield from outline.part(content, "table", "markdown", (number, number), title="Table", table_index=index)

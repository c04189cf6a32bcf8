"""Presentations to one section per slide, with tables and pictures as segments of their own, and the notes below.

A slide is a section of level 1 with the slide's title; shapes come in the order in which they lie on the slide.
"""

from __future__ import annotations

from collections.abc import Iterator

from shoald.adapters.document_loaders.archives import RELATIONSHIP, Element, Package, attribute, child, children, local
from shoald.adapters.document_loaders.items import Item, picture_of
from shoald.adapters.document_loaders.outline import Outline, OutlineStyle
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import UnusableFile
from shoald.adapters.document_loaders.tables import markdown_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

MAX_DEPTH = 40
_TITLES = frozenset({"title", "ctrTitle"})
# what repeats on every slide
_FURNITURE = frozenset({"dt", "ftr", "sldNum", "hdr"})


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the slides in the order of the show, hidden ones too; raises `UnusableFile`."""
    check_names(params, ())
    package = Package(file, "PPTX")
    main = package.main_part("ppt/presentation.xml")
    relations = package.relations(main)
    show = package.required_xml(main)
    if local(show) != "presentation":
        raise UnusableFile("the file is no PPTX file: its main part is no presentation")
    slides = children(child(show, "sldIdLst"), "sldId")
    outline = Outline(source, OutlineStyle(unit=None))
    for number, slide in enumerate(slides, 1):
        _, part = relations.get(slide.get(f"{RELATIONSHIP}id") or "", ("", ""))
        root = package.xml(part) if part else None
        if root is not None:
            yield from outline.end()
            outline.metadata = {"slide": number}
            yield from _slide(package, outline, root, package.relations(part))
    yield from outline.end()


def _slide(package: Package, outline: Outline, root: Element, relations: dict[str, tuple[str, str]]) -> Iterator[Item]:
    shapes = list(_shapes(child(root, "cSld", "spTree")))
    title = next((shape for shape in shapes if _placeholder(shape) in _TITLES), None)
    words = " ".join(_text(title).split()) if title is not None else ""
    yield from outline.heading(1, words or None, words)
    for shape in shapes:
        if shape is title or _placeholder(shape) in _FURNITURE:
            continue
        if local(shape) == "pic":
            _picture(package, outline, shape, relations)
        elif (table := child(shape, "graphic", "graphicData", "tbl")) is not None:
            yield from _table(outline, table)
        elif text := _text(shape).strip():
            outline.text(text)
    for kind, part in relations.values():
        if kind == "notesSlide" and (notes := _notes(package.xml(part))):
            yield from outline.part(notes, "text", "text", part="notes")


def _shapes(tree: Element | None, depth: int = 0) -> Iterator[Element]:
    for shape in children(tree) if depth < MAX_DEPTH else ():
        if local(shape) in {"sp", "pic", "graphicFrame", "cxnSp"}:
            yield shape
        elif local(shape) in {"grpSp", "AlternateContent", "Choice"}:
            yield from _shapes(shape, depth + 1)


def _placeholder(shape: Element) -> str:
    """Return what a shape stands for on its layout, "" for none."""
    for properties in children(shape, "nvSpPr", "nvPicPr", "nvGraphicFramePr"):
        found = child(properties, "nvPr", "ph")
        if found is not None:
            return found.get("type") or "body"
    return ""


def _text(shape: Element) -> str:
    lines = [_line(paragraph) for paragraph in children(child(shape, "txBody"), "p")]
    return "\n".join(line for line in lines if line.strip())


def _line(paragraph: Element) -> str:
    signs = {"br": "\n", "tab": "\t"}
    words = "".join(
        (part.text or "") if local(part) == "t" else signs.get(local(part), "") for part in paragraph.iter()
    )
    depth = attribute(child(paragraph, "pPr"), "lvl") if child(paragraph, "pPr") is not None else None
    return ("  " * int(depth) + "- " if depth and depth in "12345678" else "") + words


def _table(outline: Outline, table: Element) -> Iterator[Item]:
    rows: list[list[str]] = []
    for row in children(table, "tr"):
        cells: list[str] = []
        for cell in children(row, "tc"):
            at = len(cells)
            if cell.get("hMerge") in {"1", "true"} and cells:
                cells.append(cells[-1])
            elif cell.get("vMerge") in {"1", "true"} and rows and at < len(rows[-1]):
                cells.append(rows[-1][at])
            else:
                cells.append(_text(cell))
        rows.append(cells)
    if any(cell.strip() for row in rows for cell in row):
        yield from outline.part(markdown_table(rows[0], rows[1:]), "table", "markdown", row_count=len(rows) - 1)


def _picture(package: Package, outline: Outline, shape: Element, relations: dict[str, tuple[str, str]]) -> None:
    described = child(shape, "nvPicPr", "cNvPr")
    alt = (described.get("descr") or described.get("title") or "") if described is not None else ""
    blip = child(shape, "blipFill", "blip")
    _, part = relations.get(blip.get(f"{RELATIONSHIP}embed") or "", ("", "")) if blip is not None else ("", "")
    kept = picture_of(package.data(part) if part else None)
    if kept or alt:
        outline.picture(alt, kept)


def _notes(root: Element | None) -> str:
    shapes = _shapes(child(root, "cSld", "spTree"))
    return "\n".join(text for shape in shapes if _placeholder(shape) == "body" and (text := _text(shape).strip()))

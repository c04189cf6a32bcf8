"""Styles and numbering of a Word document: which paragraphs are headings, and what stands before those of a list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shoald.adapters.document_loaders.archives import Element, Package, attribute, child, children

MAX_CHAIN = 20
"""Styles may be based on styles; no chain of an honest document is longer."""
BODY_LEVEL = 9
"""What Word writes for a paragraph that is taken out of the outline."""

# built-in styles keep their English name in files of Word in any language; other programs translate it
_HEADING_NAME = re.compile(
    r"(?:heading|überschrift|titre|título|titulo|titolo|títol|заголовок|kop|rubrik|nagłówek|otsikko|overskrift|nadpis"
    r"|címsor|başl\u0131k|antraštė|naslov|titlu|cabeçalho|見出し|标题|標題|제목)\s*([1-9])",
    re.IGNORECASE,
)


class Styles:
    """The styles of a document by their ids."""

    def __init__(self, root: Element | None) -> None:
        self._by_id = {attribute(style, "styleId"): style for style in children(root, "style")}

    def heading_level(self, paragraph: Element) -> int | None:
        """Return the level of a heading from 1, None for other paragraphs: outline levels count before names."""
        properties = child(paragraph, "pPr")
        own = child(properties, "outlineLvl")
        if own is not None:
            return _level(own)
        for style in self._chain(properties):
            outline = child(style, "pPr", "outlineLvl")
            if outline is not None:
                return _level(outline)
            name = child(style, "name")
            match = _HEADING_NAME.fullmatch((attribute(name, "val") or "").strip()) if name is not None else None
            if match is not None:
                return int(match.group(1))
        return None

    def numbering(self, paragraph: Element) -> tuple[str, int] | None:
        """Return (list, depth from 0) of a paragraph in a list, from itself or from its style."""
        properties = child(paragraph, "pPr")
        owners = [properties, *(child(style, "pPr") for style in self._chain(properties))]
        found = next((numbers for owner in owners if (numbers := child(owner, "numPr")) is not None), None)
        number, depth = child(found, "numId"), child(found, "ilvl")
        if number is None:
            return None
        return attribute(number, "val") or "", _number(depth) if depth is not None else 0

    def _chain(self, properties: Element | None) -> Iterator[Element]:
        used = child(properties, "pStyle")
        identifier = attribute(used, "val") if used is not None else None
        for _ in range(MAX_CHAIN):
            style = self._by_id.get(identifier)
            if identifier is None or style is None:
                return
            yield style
            above = child(style, "basedOn")
            identifier = attribute(above, "val") if above is not None else None


class Lists:
    """Counts the paragraphs of the lists of a document."""

    def __init__(self, root: Element | None) -> None:
        self._abstract = {attribute(one, "abstractNumId"): one for one in children(root, "abstractNum")}
        self._numbers = {
            attribute(one, "numId"): attribute(link, "val")
            for one in children(root, "num")
            if (link := child(one, "abstractNumId")) is not None
        }
        self._counts: dict[tuple[str, int], int] = {}

    def mark(self, number: str, depth: int) -> str:
        """Return what stands before the next paragraph of a list: `- `, `2. `, with its indentation."""
        abstract = self._numbers.get(number)
        if abstract is None:
            return ""
        for deeper in [key for key in self._counts if key[0] == number and key[1] > depth]:
            del self._counts[deeper]
        kind, start = self._level(abstract, depth)
        count = self._counts.get((number, depth), start - 1) + 1
        self._counts[number, depth] = count
        return "  " * min(depth, 8) + ("- " if kind in {"bullet", "none"} else f"{_written(count, kind)}. ")

    def _level(self, abstract: str, depth: int) -> tuple[str, int]:
        for level in children(self._abstract.get(abstract), "lvl"):
            if attribute(level, "ilvl") == str(depth):
                kind, start = child(level, "numFmt"), child(level, "start")
                return (
                    attribute(kind, "val") or "decimal" if kind is not None else "decimal",
                    _number(start) if start is not None else 1,
                )
        return "bullet", 1


def read_styles(package: Package, relations: dict[str, tuple[str, str]]) -> tuple[Styles, Lists]:
    """Read what the relations of the main part name."""
    parts = {kind: part for kind, part in relations.values() if kind in {"styles", "numbering"}}
    styles, numbering = (package.xml(parts[kind]) if kind in parts else None for kind in ("styles", "numbering"))
    return Styles(styles), Lists(numbering)


def _level(outline: Element) -> int | None:
    level = _number(outline)
    return level + 1 if level < BODY_LEVEL else None


def _number(element: Element) -> int:
    text = attribute(element, "val") or ""
    return int(text) if text.isdecimal() and len(text) < BODY_LEVEL else 0


def _written(count: int, kind: str) -> str:
    """Write a number as a list does.

    >>> _written(3, "decimal"), _written(28, "lowerLetter"), _written(4, "upperRoman")
    ('3', 'bb', 'IV')
    """
    if kind.endswith("Letter"):
        text = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
    elif kind.endswith("Roman"):
        text = _roman(count)
    else:
        return str(count)
    return text.upper() if kind.startswith("upper") else text


def _roman(count: int) -> str:
    text = ""
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    for value, letters in zip(
        values, ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"), strict=True
    ):
        text += letters * (count // value)
        count %= value
    return text

"""Headings, texts, tables, code and pictures go in as a document has them; items that know their section come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.reading import clean

Place = tuple[int, int] | None
"""Where something stands in the source: first and after last (characters), or first and last (blocks)."""


@dataclass(slots=True)
class _Section:
    level: int
    title: str | None
    position: int | None = None
    """Of its first item; None until that was given."""
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineStyle:
    """How a format writes its sections.

    `unit` names the places (`char`, `block`, or None for none); `separator` stands between the texts of a section;
    `with_ancestors` puts the texts of the sections above in front of each section's.
    """

    original_format: str = "text"
    unit: str | None = None
    separator: str = "\n"
    with_ancestors: bool = False


class Outline:
    """Gathers the text of each section; whatever stands between two texts parts them, so document order holds."""

    def __init__(self, source: str, style: OutlineStyle | None = None) -> None:
        self._source = source
        self._style = style or OutlineStyle()
        # the sections around the present place, outermost first; text before any heading makes one of level 0
        self._around: list[_Section] = []
        self._parts: list[str] = []
        self._place: Place = None
        self._pictures: list[tuple[str, dict[str, Any], dict[str, str] | None]] = []
        self._given = 0
        self.metadata: dict[str, Any] = {}
        """What is added to the metadata of everything from here on: a page, a slide."""

    def heading(self, level: int, title: str | None, text: str, place: Place = None) -> Iterator[Item]:
        """Begin a section; `text` is the heading as it stands in the content."""
        yield from self.end()
        while self._around and self._around[-1].level >= level:
            self._around.pop()
        self._around.append(_Section(level, title))
        self.text(text, place)

    def text(self, text: str, place: Place = None) -> None:
        """Add text to the present section."""
        if not self._around:
            if not text.strip():
                return
            self._around.append(_Section(0, None))
        if not text and not self._parts:
            return
        self._parts.append(text)
        if place is not None:
            self._place = place if self._place is None else (self._place[0], place[1])

    def part(self, content: str, kind: str, original_format: str, place: Place = None, **more: Any) -> Iterator[Item]:
        """Give what is no text: a table, code."""
        yield from self.end()
        yield self._item(content, kind, original_format, place, more)

    def picture(self, alt: str, picture: dict[str, str] | None, place: Place = None, **more: Any) -> None:
        """Keep a picture until the text around it ends."""
        self._pictures.append((alt, self._placed(place) | more, picture))

    def end(self) -> Iterator[Item]:
        """Give the text gathered so far, and the pictures in it."""
        content, place = self._gathered()
        if content:
            section = self._around[-1]
            if self._style.with_ancestors:
                above = [text for around in self._around[:-1] for text in around.texts]
                section.texts.append(content)
                content = self._style.separator.join([*above, content])
            yield self._text_item(section, content, place)
        pictures, self._pictures = self._pictures, []
        for alt, more, picture in pictures:
            yield self._item(alt, "image", "text", None, more)._replace(picture=picture)

    def _gathered(self) -> tuple[str, Place]:
        """Return the text without blank lines around it, and its place, cut likewise if it is of characters."""
        whole, place = self._style.separator.join(self._parts), self._place
        self._parts, self._place = [], None
        text = whole.rstrip()
        lead = len(text) - len(text.lstrip("\r\n"))
        if self._style.unit == "char" and self._style.separator == "" and place is not None:
            place = (place[0] + lead, place[1] - (len(whole) - len(text)))
        return text[lead:], place

    def _text_item(self, section: _Section, content: str, place: Place) -> Item:
        more: dict[str, Any] = {} if section.title is None else {"title": section.title}
        if section.position is not None:
            more["continued"] = True
            return self._item(content, "text", self._style.original_format, place, more)
        above = self._around[-2] if len(self._around) > 1 else None
        section.position = self._given
        return self._made(content, "text", self._style.original_format, place, more)._replace(
            parent=above.position if above else None
        )

    def _item(self, content: str, kind: str, original_format: str, place: Place, more: dict[str, Any]) -> Item:
        """Return an item within the present section, which is its parent."""
        section = self._around[-1] if self._around else None
        if section is None:
            return self._made(content, kind, original_format, place, more)
        if kind != "text" and section.title is not None:
            more = {"section": section.title} | more
        return self._made(content, kind, original_format, place, more)._replace(parent=section.position)

    def _made(self, content: str, kind: str, original_format: str, place: Place, more: dict[str, Any]) -> Item:
        self._given += 1
        titles = tuple(clean(above.title) for above in self._around[:-1] if above.title is not None)
        metadata = {"source": self._source, **self.metadata, **_cleaned(more), **self._placed(place)}
        level = self._around[-1].level if self._around else 0
        return Item(clean(content), metadata, kind, original_format, level, titles)

    def _placed(self, place: Place) -> dict[str, int]:
        unit = self._style.unit
        return {} if place is None or unit is None else {f"{unit}_start": place[0], f"{unit}_end": place[1]}


def _cleaned(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: clean(value) if isinstance(value, str) else value for name, value in metadata.items()}

"""Points, texts and the tree of groups go in; one HTML file comes out that draws them, from disk, without a network."""

from __future__ import annotations

import base64
import gzip
import html
import itertools
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

LABEL_LENGTH = 80
"""Characters of a group's name that a picture carries."""
_ID_LENGTH = 100
_STEPS = 65_535
_NEAR = 75
"""Percent of a group's points within its radius."""
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]+")
"""White space, controls, and halves of characters, which UTF-8 has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapGroup:
    """A group on the map; `parent` is the place of another in the list of groups, -1 for the first level.

    `stability`: 0 to 1, how well it comes back from other samples, of a group where that was not measured how well the
    nearest above it does; None where that is not known either. `confidence`: 0 to 1, how sure the language model that
    named it was; None where none did, or did not say.
    """

    cluster_id: str
    label: str
    path: str
    parent: int
    level: int
    stability: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapPoints:
    """The points in columns of one length n.

    `x`, `y`: (n,) float32, the place on the map; NaN for points without one, which are not drawn. `group`: (n,) int32,
    the place of each point's deepest group in the list of groups, -1 for none.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    group: npt.NDArray[np.int32]


def write_picture(path: Path, title: str, groups: Sequence[MapGroup], points: MapPoints, *, text_length: int) -> int:
    """Write the page and return its size in bytes. Texts are cut to `text_length` characters; 0 leaves them out.

    Places are kept in 65,536 steps of the map's width, the same across and up. Nothing of what is given stands in the
    page as markup: the title is escaped, all else is packed. Costs about twice the page in memory.
    """
    head, middle, tail = _page()
    content = packed(title, groups, points, text_length=text_length)
    with path.open("wb") as file:
        for part in (head, html.escape(shown(title, LABEL_LENGTH)).encode(), middle, content, tail):
            file.write(part)
        return file.tell()


def _page() -> tuple[bytes, bytes, bytes]:
    """Return the page's parts: before its title, between that and its data, and after them."""
    page = (files("shoald.cli") / "data" / "map_page.html").read_bytes()
    head, rest = page.split(b"{{TITLE}}")
    middle, tail = rest.split(b"{{DATA}}")
    return head, middle, tail


def packed(title: str, groups: Sequence[MapGroup], points: MapPoints, *, text_length: int) -> bytes:
    """Return what the page reads: base64 of gzip of the header's length, the header as JSON, and the columns."""
    drawn = np.flatnonzero(np.isfinite(points.x) & np.isfinite(points.y))
    group = points.group[drawn]
    x, y = _within(points.x[drawn], points.y[drawn])
    order, described = _described(groups, group, x, y)
    columns = {
        "x": _steps(x),
        "y": _steps(y),
        "group": _renumbered(group, order).astype("<i4").tobytes(),
        "texts": _lines([points.texts[at] for at in drawn.tolist()], text_length),
        "ids": _lines([points.ids[at] for at in drawn.tolist()], _ID_LENGTH),
    }
    header = {"title": shown(title, LABEL_LENGTH), "n": len(drawn), "groups": described, "parts": _places(columns)}
    written = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(b"".join([struct.pack("<I", len(written)), written, *columns.values()]), 6))


def shown(text: str, length: int) -> str:
    r"""Return a text in one line of at most so many characters.

    >>> shown("two\nlines  and more", 12)
    'two lines a…'
    """
    line = _UNSEEN.sub(" ", text[: 4 * length + 100]).strip()
    return line if len(line) <= length else line[: max(0, length - 1)] + "…" * (length > 0)


def _within(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the places between -1 and 1, the longer side over all of it, the other in its middle."""
    if not len(x):
        return x, y
    middles = [(float(side.min()) + float(side.max())) / 2 for side in (x, y)]
    half = max(float(np.ptp(x)), float(np.ptp(y))) / 2 or 1.0
    return (x - middles[0]) / half, (y - middles[1]) / half


def _steps(places: npt.NDArray[Any]) -> bytes:
    steps: npt.NDArray[np.uint16] = np.round((np.clip(places, -1, 1) + 1) / 2 * _STEPS).astype("<u2")
    return steps.tobytes()


def _described(
    groups: Sequence[MapGroup], group: npt.NDArray[np.int32], x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the groups by level and size, as the page reads them, and which of the given each of them is."""
    members = _members(groups, group)
    order = sorted(range(len(groups)), key=lambda at: (groups[at].level, -len(members[at]), at))
    new = {old: at for at, old in enumerate(order)}
    rows = []
    for at, old in enumerate(order):
        one, mine = groups[old], members[old]
        row: dict[str, Any] = {"at": at, "parent": new.get(one.parent, -1), "level": one.level, "size": len(mine)}
        row |= {"share": round(len(mine) / max(1, len(group)), 5), **_place(x[mine], y[mine])}
        rows.append(row | {"label": shown(one.label, LABEL_LENGTH), "path": shown(one.path, 4 * LABEL_LENGTH)})
    return order, rows


def _members(groups: Sequence[MapGroup], group: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int64]]:
    """Return the points of each group, those of the groups within it too."""
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(groups) + 1))
    members = [[order[start:end]] for start, end in itertools.pairwise(bounds)]
    for at in sorted(range(len(groups)), key=lambda place: -groups[place].level):
        if groups[at].parent >= 0:
            members[groups[at].parent] += members[at]
    return [np.concatenate(parts) for parts in members]


def _place(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> dict[str, float]:
    """Return where a group's name stands, on a point in its midst, and how far most of its points are from there."""
    if not len(x):
        return {"x": 0.0, "y": 0.0, "radius": 0.0}
    nearest = int(np.argmin((x - np.median(x)) ** 2 + (y - np.median(y)) ** 2))
    far = np.hypot(x - x[nearest], y - y[nearest])
    places = (x[nearest], y[nearest], np.percentile(far, _NEAR))
    return {name: round(float(value), 5) for name, value in zip(("x", "y", "radius"), places, strict=True)}


def _renumbered(group: npt.NDArray[np.int32], order: Sequence[int]) -> npt.NDArray[np.int32]:
    new = np.full(len(order) + 1, -1, dtype=np.int32)  # the last place is that of -1
    new[np.asarray(order, dtype=np.int64)] = np.arange(len(order))
    return new[group]


def _lines(texts: Sequence[str], length: int) -> bytes:
    return "\n".join(shown(text, length) for text in texts).encode()


def _places(columns: dict[str, bytes]) -> list[tuple[str, int, int]]:
    starts = np.cumsum([0, *map(len, columns.values())]).tolist()
    return [(name, start, len(part)) for (name, part), start in zip(columns.items(), starts, strict=False)]

"""Lines over logarithmic axes as SVG: enough for how time and memory grow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, TOP, BELOW, LEGEND = 760, 440, 70, 40, 50, 170
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#64748b")


def write_plot(file: Path, title: str, across: str, up: str, lines: Mapping[str, Points]) -> None:
    """Write one line a name; both axes are logarithmic, so a slope of 1 is linear growth and one of 2 quadratic."""
    every = [point for points in lines.values() for point in points]
    plot = _Plot([x for x, _ in every], [max(y, 1e-9) for _, y in every])
    parts = [_text(LEFT, 24, title, size=16), *plot.axes(across, up)]
    for at, (name, points) in enumerate(lines.items()):
        parts += plot.line(name, points, COLOURS[at % len(COLOURS)], at)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    file.write_text("\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *parts, "</svg>", ""]))


class _Plot:
    def __init__(self, xs: list[float], ys: list[float]) -> None:
        self.x = (math.log10(min(xs)) - 0.05, math.log10(max(xs)) + 0.05)
        self.y = (math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)) + 1e-9))
        self.marks = sorted(set(xs))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point in the picture."""
        wide, high = WIDTH - LEFT - LEGEND, HEIGHT - TOP - BELOW
        across = (math.log10(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(max(y, 1e-9)) - self.y[0]) / max(1, self.y[1] - self.y[0])
        return LEFT + across * wide, HEIGHT - BELOW - up * high

    def axes(self, across: str, up: str) -> list[str]:
        """Return the grid, its numbers and what the axes mean."""
        parts = [_text(LEFT, HEIGHT - 8, across), _text(8, TOP - 2, up)]
        for power in range(self.y[0], self.y[1] + 1):
            _, y = self.at(self.marks[0], 10.0**power)
            parts += [_line(LEFT, y, WIDTH - LEGEND, y), _text(LEFT - 8, y + 4, f"{10.0**power:g}", anchor="end")]
        for mark in self.marks:
            x, _ = self.at(mark, 1.0)
            parts += [_line(x, TOP, x, HEIGHT - BELOW), _text(x, HEIGHT - BELOW + 18, f"{mark:,.0f}", anchor="middle")]
        return parts

    def line(self, name: str, points: Points, colour: str, row: int) -> list[str]:
        """Return a line with its points, and its name beside the plot."""
        places = [self.at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + 10 + 20 * row
        parts.append(f'<rect x="{WIDTH - LEGEND + 12}" y="{y - 9}" width="12" height="12" fill="{colour}"/>')
        return [*parts, _text(WIDTH - LEGEND + 30, y + 2, name)]


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "start") -> str:
    plain = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#333">{plain}</text>'

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoald.cli.map_picture import MapGroup, MapPoints, packed, write_picture
from support.drawn_maps import HOSTILE, points_on, ring_of_groups


def read_back(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the header and the columns, as the page reads them."""
    plain = gzip.decompress(base64.b64decode(content))
    (length,) = struct.unpack("<I", plain[:4])
    header = json.loads(plain[4 : 4 + length])
    body = plain[4 + length :]
    return header, {name: body[start : start + size] for name, start, size in header.pop("parts")}


def test_places_texts_and_groups_are_in_the_picture() -> None:
    points = points_on(3, 60)
    header, columns = read_back(packed("things", ring_of_groups(3), points, text_length=1000))
    assert (header["title"], header["n"]) == ("things", 60)
    x = np.frombuffer(columns["x"], "<u2") / 65535 * 2 - 1
    y = np.frombuffer(columns["y"], "<u2") / 65535 * 2 - 1
    half = np.ptp(points.x) / 2  # the ring is wider than it is high
    assert x.min() == -1
    assert x.max() == 1
    assert np.allclose(x * half, points.x - (points.x.min() + points.x.max()) / 2, atol=1e-3)
    assert np.allclose(y * half, points.y - (points.y.min() + points.y.max()) / 2, atol=1e-3)
    assert columns["texts"].decode().split("\n") == list(points.texts)
    assert columns["ids"].decode().split("\n") == list(points.ids)
    given = ring_of_groups(3)
    drawn = np.frombuffer(columns["group"], "<i4")
    assert [at < 0 for at in drawn] == [at < 0 for at in points.group]
    paths = [header["groups"][at]["path"] for at in drawn if at >= 0]
    assert paths == [given[at].path for at in points.group if at >= 0]


def test_groups_come_by_level_and_size_with_what_is_within_them() -> None:
    groups = [
        MapGroup(cluster_id="b", label="part of large", path="large / part of large", parent=2, level=1),
        MapGroup(cluster_id="s", label="small", path="small", parent=-1, level=0),
        MapGroup(cluster_id="l", label="large", path="large", parent=-1, level=0),
    ]
    group = np.array([0, 0, 0, 2, 1, -1], dtype=np.int32)
    x = np.array([0, 1, 2, 9, -9, 5], dtype=np.float32)
    points = MapPoints(ids=list("abcdef"), texts=[""] * 6, x=x, y=np.zeros(6, np.float32), group=group)
    header, columns = read_back(packed("m", groups, points, text_length=10))
    shown = [(one["label"], one["parent"], one["size"]) for one in header["groups"]]
    assert shown == [("large", -1, 4), ("small", -1, 1), ("part of large", 0, 3)]
    assert np.frombuffer(columns["group"], "<i4").tolist() == [2, 2, 2, 0, 1, -1]
    assert header["groups"][2]["x"] == pytest.approx(1 / 9, abs=1e-4)  # on the middle point of the part


def test_points_without_a_place_are_left_out_and_an_empty_map_is_one() -> None:
    points = points_on(2, 40)
    x = points.x.copy()
    x[3] = np.nan
    header, columns = read_back(packed("m", ring_of_groups(2), replace(points, x=x), text_length=5))
    assert header["n"] == 39
    assert points.ids[3].encode() not in columns["ids"]
    nothing = np.empty(0, np.float32)
    empty = MapPoints(ids=[], texts=[], x=nothing, y=nothing, group=np.empty(0, np.int32))
    header, _ = read_back(packed("m", [], empty, text_length=5))
    assert (header["n"], header["groups"]) == (0, [])


def test_texts_are_one_line_of_the_stated_length() -> None:
    points = points_on(2, 40)
    texts = ["two\nlines\u2028and\ttabs", "half a pair \ud83d here", *points.texts[2:]]
    _, columns = read_back(packed("m", ring_of_groups(2), replace(points, texts=texts), text_length=20))
    lines = columns["texts"].decode().split("\n")
    assert lines[:2] == ["two lines and tabs", "half a pair here"]
    assert len(lines) == 40
    assert {len(line) for line in lines[2:]} == {20}
    assert all(line.endswith("…") for line in lines[2:])
    _, columns = read_back(packed("m", ring_of_groups(2), points, text_length=0))
    assert columns["texts"] == b"\n" * 39


def test_nothing_that_is_given_stands_in_the_page_as_markup(tmp_path: Path) -> None:
    page = tmp_path / "m.html"
    points = points_on(2, 40, hostile=HOSTILE)
    size = write_picture(page, HOSTILE, ring_of_groups(2, hostile=HOSTILE), points, text_length=200)
    text = page.read_text()
    assert size == page.stat().st_size
    assert "taken" not in text.replace("document.title=&#x27;taken&#x27;", "")
    assert "&lt;/script&gt;&lt;img src=x" in text


def test_the_policy_lets_the_page_run_its_own_script_and_reach_nothing(tmp_path: Path) -> None:
    """The library compiles its draw commands (`unsafe-eval`); which scripts may do so, their hash decides."""
    page = tmp_path / "m.html"
    write_picture(page, "{{DATA}}", ring_of_groups(2), points_on(2, 40), text_length=200)
    text = page.read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}' 'unsafe-eval'"
    assert rules.keys() == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    assert not re.search(r"""(?:src|href)=["']?https?:""", text)
    assert "<title>{{DATA}}</title>" in text


@pytest.mark.nightly
def test_a_hundred_thousand_points_are_at_most_25_megabytes(tmp_path: Path) -> None:
    assert write_picture(tmp_path / "m.html", "m", ring_of_groups(40), points_on(40, 100_000), text_length=200) < 25e6

"""Files with damage of any kind: each is read, or refused in words; no error of a library comes through."""

from __future__ import annotations

import importlib
import io
import json
import random
import re
import zipfile
from collections.abc import Callable

import pytest

from shoald.adapters.document_loaders.reading import UnusableFile
from support.office_files import archive, handbook, mail, price_list, report, slides, word_file

WHOLE: dict[str, Callable[[], bytes]] = {
    "docx": lambda: word_file(handbook),
    "excel": price_list,
    "pptx": slides,
    "pdf": report,
    "eml": mail,
    "html": lambda: b"<h1>One</h1><table><tr><td colspan=2>a<td>b</table><pre>x</pre><img alt=y src='data:;x'>",
    "markdown": lambda: b"# One\n\n| a | b |\n|---|---|\n| 1 | 2 |\n```py\nx\n```\n![a](b)\n",
    "json": lambda: b'[{"a": [1, 2.5, {"b": "\\u00e9"}]}, "x", null]',
    "csv": lambda: b'a;"b c";d\n1;2;3\n4;5;6\n',
    "table": lambda: b"a,b\n1,2\n3,4\n",
    "qa": lambda: b"Q: a\nA: b\nQ: c\n",
}
VALUES = (b"", b"-1", b"99999999999", b"x", b"\xc3\xa9", b"1e9", b"../../x")


@pytest.mark.parametrize("kind", WHOLE)
def test_damage_is_survived_or_refused(kind: str) -> None:
    damaged_files(kind, 25, seed=1)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", WHOLE)
def test_much_damage_is_survived_or_refused(kind: str) -> None:
    damaged_files(kind, 1000, seed=2)


def damaged_files(kind: str, count: int, *, seed: int) -> None:
    load = importlib.import_module(f"shoald.adapters.document_loaders.{kind}").load
    rng, whole = random.Random(seed), WHOLE[kind]()
    read = 0
    for _ in range(count):
        data = damaged(rng, whole)
        try:
            items = list(load(io.BytesIO(data), source="x", params={}))
        except UnusableFile:
            continue
        read += 1
        json.dumps(items)
        assert all(item.parent is None or item.parent < position for position, item in enumerate(items))
    assert read or kind == "json", "nothing at all could be read: the damage is too great to tell anything"


def damaged(rng: random.Random, whole: bytes) -> bytes:
    if whole.startswith(b"PK") and rng.random() < 0.85:
        with zipfile.ZipFile(io.BytesIO(whole)) as package:
            name = rng.choice([name for name in package.namelist() if name.endswith((".xml", ".rels"))])
            part = package.read(name)
        return archive({name: rng.choice((without_a_tag, with_another_value, scattered))(rng, part)}, like=whole)
    return scattered(rng, whole)


def without_a_tag(rng: random.Random, xml: bytes) -> bytes:
    tags = list(re.finditer(rb"<[^>]+/>", xml))
    if not tags:
        return xml
    tag = rng.choice(tags)
    return xml[: tag.start()] + tag.group() * rng.choice((0, 3)) + xml[tag.end() :]


def with_another_value(rng: random.Random, xml: bytes) -> bytes:
    values = list(re.finditer(rb'="[^"]*"', xml))
    if not values:
        return xml
    value = rng.choice(values)
    return xml[: value.start()] + b'="' + rng.choice(VALUES) + b'"' + xml[value.end() :]


def scattered(rng: random.Random, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(rng.choice((1, 2, 5, 30))):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.5:
            data[at : at + rng.randrange(1, 8)] = rng.randbytes(rng.randrange(5))
        else:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[other : other + rng.randrange(1, 60)]
    return bytes(data)

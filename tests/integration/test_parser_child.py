"""The loaders in their children: what a hostile file or program does stays there, and is said in words."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shoald.adapters.parser_child.limits import MIB, ParserLimits
from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
from shoald.domain.failures import InvalidLoaderParams, Unavailable, UnsupportedLoader
from shoald.domain.records.segment_set import SetItem
from support.parser_children import seconds_of_children

pytestmark = pytest.mark.integration

HOSTILE = """
import ctypes, os, time

def crash(file, *, source, params):
    yield ("fine so far", {}, "text", "text")
    ctypes.string_at(0)

def hog(file, *, source, params):
    yield ("x" * 2**40, {}, "text", "text")

def spin(file, *, source, params):
    while True:
        pass
    yield

def stall(file, *, source, params):
    time.sleep(3600)
    yield

def odd(file, *, source, params):
    metadata = {"na\\0me": "half \\ud800 of one", "n": [1, "\\0"], "whole": "\\U0001f600"}
    yield ("zero \\0 \\udc00", metadata, "text", "text", 1, ("a\\0",))

def leave(file, *, source, params):
    yield ("1", {}, "text", "text")
    raise SystemExit(0)

def long(file, *, source, params):
    yield ("x" * 3_000_000, {}, "text", "text")

def mistake(file, *, source, params):
    yield ("1", {}, "text", "text")
    raise KeyError("a mistake of ours")

def descriptors(file, *, source, params):
    seen = os.listdir("/proc/self/fd")
    yield (repr([int(name) for name in seen if os.path.exists(f"/proc/self/fd/{name}")]), {}, "text", "text")

def look(file, *, source, params):
    seen = os.listdir()
    try:
        open("new", "wb", buffering=0).write(b"x")
        wrote = True
    except OSError:
        wrote = False
    yield (repr((dict(os.environ), seen, wrote)), {}, "text", "text")
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[ParserChildLoader]:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "hostile.py").write_text(HOSTILE)
    names = ("crash", "hog", "spin", "stall", "long", "mistake", "look", "descriptors", "odd", "leave")
    limits = ParserLimits(memory_bytes=256 * MIB, cpu_seconds=1, stall_seconds=30, max_segment_bytes=MIB)
    loader = ParserChildLoader(
        parsers={name: Parser(function=f"hostile:{name}") for name in names}, limits=limits, import_from=[str(folder)]
    )
    yield loader
    loader.close()


@pytest.fixture
def loader() -> Iterator[ParserChildLoader]:
    where = "shoald.adapters.document_loaders"
    loader = ParserChildLoader(
        parsers={
            "json": Parser(function=f"{where}.json:load", options={"jq_seconds": 0.4}, clocked="jq_schema"),
            "csv": Parser(function=f"{where}.csv:load"),
        },
        limits=ParserLimits(memory_bytes=512 * MIB, max_segments=1000),
    )
    yield loader
    loader.close()


def load(loader: ParserChildLoader, tmp_path: Path, data: str, kind: str, **params: object) -> list[SetItem]:
    file = tmp_path / "file"
    file.write_text(data)
    return list(loader.load(str(file), filename="named.x", loader_type=kind, loader_params=params))


def test_segments_come_in_order_with_fresh_ids(loader: ParserChildLoader, tmp_path: Path) -> None:
    items = load(loader, tmp_path, '["a", {"b": 1}]', "JSON")
    assert [(item.position, item.content, item.original_format) for item in items] == [
        (0, "a", "text"),
        (1, '{\n  "b": 1\n}', "json"),
    ]
    assert len({item.item_id for item in items}) == 2
    assert all(item.metadata["source"] == "named.x" and item.level == 0 and item.path == () for item in items)


def test_an_unknown_loader_is_named_at_once(loader: ParserChildLoader) -> None:
    with pytest.raises(UnsupportedLoader) as caught:
        loader.load("/nowhere", filename="x", loader_type="papyrus", loader_params={})
    assert caught.value.detail == {"loader_type": "papyrus"}


def test_a_bad_parameter_is_named(loader: ParserChildLoader, tmp_path: Path) -> None:
    with pytest.raises(InvalidLoaderParams, match="chunk_size must be a whole number") as caught:
        load(loader, tmp_path, "a\n1", "csv", chunk_size=0)
    assert caught.value.detail == {"parameter": "chunk_size", "loader_type": "csv"}


@pytest.mark.parametrize(
    "program",
    ["def f: f; f", "last(range(1e15))", "[repeat(1)] | length", "until(false; .)", "repeat(last(range(1e5)))"],
)
def test_an_endless_program_is_ended(loader: ParserChildLoader, tmp_path: Path, program: str) -> None:
    began = seconds_of_children()
    with pytest.raises(InvalidLoaderParams, match=r"jq_schema took too long|memory"):
        load(loader, tmp_path, "[1]", "json", jq_schema=program)
    assert seconds_of_children() - began < 5


def test_endless_outputs_are_counted(loader: ParserChildLoader, tmp_path: Path) -> None:
    with pytest.raises(InvalidLoaderParams, match="more than 1,000 segments"):
        load(loader, tmp_path, "[1]", "json", jq_schema="repeat(1)")


def test_a_child_has_nothing_to_see_and_nowhere_to_write(
    hostile: ParserChildLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOAL_SECRET", "hidden")
    (item,) = load(hostile, tmp_path, "", "look")
    environment, files, wrote = ast.literal_eval(item.content)
    assert set(environment) <= {"LC_CTYPE"}, "Python itself sets it when there is no locale"
    assert files == []
    assert not wrote


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("crash", "ended early"),
        ("hog", "more memory than its parser may use"),
        ("spin", "processor time"),
        ("long", "a segment would be larger than 1 MiB"),
        ("mistake", "could not be parsed: KeyError"),
        ("leave", "could not be parsed: SystemExit"),
    ],
)
def test_a_parser_that_goes_wrong_is_a_clear_failure(
    hostile: ParserChildLoader, tmp_path: Path, kind: str, words: str
) -> None:
    with pytest.raises(InvalidLoaderParams, match=words):
        load(hostile, tmp_path, "", kind)


def test_what_cannot_be_stored_is_dropped_wherever_it_stands(hostile: ParserChildLoader, tmp_path: Path) -> None:
    (item,) = load(hostile, tmp_path, "", "odd")
    assert (item.content, item.path) == ("zero  \ufffd", ("a",))
    assert item.metadata == {"name": "half \ufffd of one", "n": [1, ""], "whole": "\U0001f600"}


def test_a_parser_that_gives_nothing_is_ended(
    hostile: ParserChildLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile, "_limits", ParserLimits(stall_seconds=1.5))
    with pytest.raises(InvalidLoaderParams, match=r"gave nothing for 1\.5 seconds"):
        load(hostile, tmp_path, "", "stall")


def children_of(pid: int) -> set[int]:
    """Return the children of all threads of a process."""
    found = set()
    for threads_children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(word) for word in threads_children.read_text().split()}
    return found


def nursery_of(pid: int) -> int:
    """Return the child of a process that is a nursery, when it is one."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = [child for child in children_of(pid) if b"nursery.py" in command_of(child)]
        return len(found) == 1

    wait_until(is_there, "no nursery")
    return found[0]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_until(claim: Callable[[], bool], words: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, words
        time.sleep(0.02)


def test_a_child_is_gone_when_nobody_reads_on(loader: ParserChildLoader, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("[" + ",".join('"' + "some text " * 1000 + '"' for _ in range(900)) + "]")
    items = loader.load(str(file), filename="x", loader_type="json", loader_params={})
    next(items)
    nursery = nursery_of(os.getpid())
    assert children_of(nursery)
    items.close()  # type: ignore[attr-defined]
    wait_until(lambda: not children_of(nursery), "the child reads on for nobody")


def test_nothing_is_left_when_the_loader_is_closed(loader: ParserChildLoader, tmp_path: Path) -> None:
    load(loader, tmp_path, "[1]", "json")
    nursery = nursery_of(os.getpid())
    loader.close()
    assert not Path(f"/proc/{nursery}").exists()


def test_a_lost_nursery_is_replaced(loader: ParserChildLoader, tmp_path: Path) -> None:
    load(loader, tmp_path, "[1]", "json")
    nursery = nursery_of(os.getpid())
    os.kill(nursery, signal.SIGKILL)
    wait_until(lambda: not is_running(nursery), "it lives on")
    assert len(load(loader, tmp_path, "[1, 2]", "json")) == 2


def test_many_at_a_time(loader: ParserChildLoader, tmp_path: Path) -> None:
    def one(at: int) -> list[str]:
        file = tmp_path / f"file{at}"
        file.write_text(str([at] * 300))
        items = loader.load(str(file), filename="x", loader_type="json", loader_params={"jq_schema": f".[] + {at}"})
        return [item.content for item in items]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(40))) == [[str(2 * at)] * 300 for at in range(40)]


def test_children_see_no_files_of_others(hostile: ParserChildLoader, tmp_path: Path) -> None:
    (item,) = load(hostile, tmp_path, "", "descriptors")
    assert set(ast.literal_eval(item.content)) == {0, 1, 2}


PARENT = """
import sys
from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
parser = Parser(function="shoald.adapters.document_loaders.json:load", options={"jq_seconds": 600})
list(ParserChildLoader(parsers={"json": parser}).load(
    sys.argv[1], filename="x", loader_type="json", loader_params={"jq_schema": "def f: f; f"}))
"""


def test_nursery_and_child_die_with_their_parent(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(file)])
    try:
        nursery = nursery_of(parent.pid)
        wait_until(lambda: bool(children_of(nursery)), "no child", 20)
        family = {nursery, *children_of(nursery)}
        time.sleep(0.3)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(map(is_running, family)), "the child outlived its parent")


def test_a_child_dies_with_its_nursery(hostile: ParserChildLoader, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    items = hostile.load(str(file), filename="x", loader_type="stall", loader_params={})
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, items)
        nursery = nursery_of(os.getpid())
        wait_until(lambda: bool(children_of(nursery)), "no child")
        (child,) = children_of(nursery)
        os.kill(nursery, signal.SIGKILL)
        with pytest.raises(Unavailable, match="try again"):
            reading.result(10)
    wait_until(lambda: not is_running(child), "the child outlived its nursery")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False

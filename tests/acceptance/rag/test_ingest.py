"""`shoal ingest` over whole folders: one index at the end, nothing done twice, bad files named and left out."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest

from shoald.cli.rest_client import RestClient
from support.stack import Stack, shoal

pytestmark = pytest.mark.acceptance

WORDS = [
    "river",
    "mountain",
    "engine",
    "forest",
    "signal",
    "harbour",
    "winter",
    "theorem",
    "violin",
    "market",
    "copper",
]


def write_files(folder: Path, count: int, seed: int = 1) -> int:
    """Write small files of several kinds, each with a word of its own; return their bytes."""
    rng = random.Random(seed)
    for number in range(count):
        text = " ".join(rng.choices(WORDS, k=rng.randint(20, 200))) + f" number{seed}x{number}."
        below = folder / f"part{number % 10}"
        below.mkdir(parents=True, exist_ok=True)
        name, content = (
            (f"n{number}.txt", text),
            (f"n{number}.md", f"# Title {number}\n\n{text}\n"),
            (f"n{number}.json", json.dumps({"text": text})),
            (f"n{number}.csv", f"id,text\n{number},{text}\n"),
        )[number % 4]
        (below / name).write_text(content)
    return sum(file.stat().st_size for file in folder.rglob("*.*"))


def ingest(stack: Stack, folder: Path, project: str, *more: str) -> tuple[str, str, float]:
    """Ingest a folder; return what was printed and how long it took."""
    began = time.monotonic()
    words = ("ingest", str(folder), "--project", project, "--url", stack.url, "--provider", "faiss")
    done = shoal(*words, "--embedding-provider", "mock", *more, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr, time.monotonic() - began


def ids_in(printed: str) -> dict[str, str]:
    found = re.search(r"project (?P<project>\S+), index (?P<index>\S+), build (?P<build>[^:]+):", printed)
    assert found is not None, printed
    return found.groupdict()


def found_by(stack: Stack, ids: dict[str, str], word: str) -> list[str]:
    body = {"query": word, "strategy": {"type": "bm25", "k": 3}}
    with RestClient(stack.url) as client:
        items = client.post(f"/api/v1/projects/{ids['project']}/retrieve", body)["items"]
    return [hit["metadata"]["filename"] for hit in items]


def test_a_folder_of_files_becomes_one_index_and_bad_files_stop_nothing(shoal_up: Stack, tmp_path: Path) -> None:
    write_files(tmp_path / "notes", 200)
    (tmp_path / "notes" / "broken.json").write_text('{"a": ')
    (tmp_path / "notes" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (tmp_path / "notes" / "picture.png").write_bytes(b"\x89PNG")
    project = f"ingest {time.time_ns()}"
    printed, told, _ = ingest(shoal_up, tmp_path / "notes", project)
    assert "files taken: 200 new, 0 known" in printed
    assert re.search(r"files left out: 1 \(\S*picture\.png\);", told)
    assert re.search(r"left out: .*broken\.json: invalid_loader_params: ", told)
    assert re.search(r"left out: .*broken\.pdf: invalid_loader_params: ", told)
    assert "files that could not be read: 2" in told
    ids = ids_in(printed)
    assert "n123.csv" in found_by(shoal_up, ids, "number1x123")
    assert "n160.txt" in found_by(shoal_up, ids, "number1x160")
    with RestClient(shoal_up.url) as client:
        assert len(client.get(f"/api/v1/indexes/{ids['index']}/builds")) == 1

    again, _, _ = ingest(shoal_up, tmp_path / "notes", project)
    assert "files taken: 0 new, 200 known" in again
    assert ids_in(again) == ids

    (tmp_path / "notes" / "more.txt").write_text("a perihelion is new")
    more, _, _ = ingest(shoal_up, tmp_path / "notes", project)
    assert "files taken: 1 new, 200 known" in more
    assert ids_in(more)["build"] != ids["build"]
    assert found_by(shoal_up, ids, "perihelion") == ["more.txt"]
    assert "n7.csv" in found_by(shoal_up, ids, "number1x7")


def test_a_folder_that_changes_stays_one_index_of_what_is_in_it(shoal_up: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in {"a.txt": "an aphelion", "b.md": "a lighthouse", "c.txt": "a harbour"}.items():
        (folder / name).write_text(text)
    project = f"changing {time.time_ns()}"
    ids = ids_in(ingest(shoal_up, folder, project)[0])

    (folder / "a.txt").write_text("a perihelion")
    (folder / "c.txt").unlink()
    printed, told, _ = ingest(shoal_up, folder, project)
    assert "files taken: 0 new, 1 changed, 1 known" in printed
    assert "files that are gone: 1 (notes/c.txt)" in told
    assert found_by(shoal_up, ids, "aphelion") == []
    assert found_by(shoal_up, ids, "perihelion") == ["a.txt"]
    assert found_by(shoal_up, ids, "harbour") == ["c.txt"]

    printed, told, _ = ingest(shoal_up, folder, project, "--prune")
    assert "files taken: 0 new, 2 known" in printed
    assert "files that are gone, and deleted: 1 (notes/c.txt)" in told
    assert found_by(shoal_up, ids, "harbour") == []
    with RestClient(shoal_up.url) as client:
        documents = client.get(f"/api/v1/projects/{ids['project']}/documents")
        assert sorted(one["metadata"]["source_path"] for one in documents) == ["notes/a.txt", "notes/b.md"]
        versions = [client.get(f"/api/v1/documents/{one['document_id']}/versions") for one in documents]
        assert sorted(map(len, versions)) == [1, 2]
        joined = client.get(f"/api/v1/projects/{ids['project']}/segment_sets")[0]
        assert joined["total_items"] == 2


def test_a_folder_without_one_good_file_ends_with_an_error(shoal_up: Stack, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("[")
    words = ("ingest", str(tmp_path), "--project", f"bad {time.time_ns()}", "--url", shoal_up.url)
    done = shoal(*words)
    assert done.returncode == 1
    assert "left out:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.nightly
def test_ten_thousand_files_are_one_command(shoal_up: Stack, tmp_path: Path) -> None:
    size = write_files(tmp_path / "notes", 10_000, seed=2)
    project = f"ingest {time.time_ns()}"
    printed, _, seconds = ingest(shoal_up, tmp_path / "notes", project)
    print(f"10,000 files, {size / 1e6:.1f} MB: {seconds:.0f} s, {size / 1e6 / seconds:.2f} MB/s")
    assert "files taken: 10000 new, 0 known" in printed
    again, _, seconds = ingest(shoal_up, tmp_path / "notes", project)
    print(f"once more: {seconds:.0f} s")
    assert "files taken: 0 new, 10000 known" in again
    assert ids_in(again) == ids_in(printed)
    assert "n9999.csv" in found_by(shoal_up, ids_in(printed), "number2x9999")

"""Bringing files to a server that is a double: what is sent, what is left out, what ends the work."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shoald.cli.local_files import LocalFile, files_in
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.taking_files import Taken, take_files


class Server(RestClient):
    """Notes what it is sent; `refusals` maps file names to the errors that their uploads meet, one after another."""

    def __init__(
        self, held: list[Mapping[str, Any]] | None = None, refusals: dict[str, list[RestError]] | None = None
    ) -> None:
        self.held = held or []
        self.refusals = refusals or {}
        self.uploads: list[str] = []
        self.together: list[list[str]] = []
        self.unreadable: set[str] = set()
        self.segmented: list[tuple[str, str]] = []

    def post(self, path: str, body: Any = None) -> Any:
        assert path.endswith("/documents/find")
        return {"contents": [one for one in self.held if one["content_hash"] in body["content_hashes"]]}

    def upload(self, path: str, file: Path, *, content_type: str) -> Any:
        del path, content_type
        if self.refusals.get(file.name):
            raise self.refusals[file.name].pop(0)
        self.uploads.append(file.name)
        return {"document_version": {"version_id": f"v-{file.name}"}}

    def post_form(self, path: str, parts: Sequence[tuple[str, tuple[str | None, bytes | str, str | None]]]) -> Any:
        assert path.endswith("/pipeline/files")
        names = [str(name) for field, (name, _, _) in parts if field == "file"]
        self.together.append(names)
        for name in names:
            if self.refusals.get(name):
                raise self.refusals[name].pop(0)
        return {"files": [self._answer(name) for name in names]}

    def _answer(self, name: str) -> dict[str, Any]:
        if name in self.unreadable:
            return {"segment_set_version_id": None, "error_code": "invalid_loader_params", "error_message": "no"}
        return {"segment_set_version_id": f"s-v-{name}", "error_code": None, "error_message": None}

    def post_and_count(self, path: str, body: Any, *, set_key: str) -> dict[str, Any]:
        assert set_key == "segment_set"
        version_id = path.split("/")[-2]
        self.segmented.append((version_id, body["loader_type"]))
        return {"segment_set_version_id": f"s-{version_id}"}


def files(folder: Path, **contents: str) -> list[LocalFile]:
    for name, content in contents.items():
        (folder / f"{name}.txt").write_text(content)
    return files_in([folder])[0]


def take(server: Server, found: list[LocalFile]) -> Taken:
    return take_files(server, "p1", found, lambda _fraction, _message="": None)


def held(file: LocalFile, **changes: Any) -> dict[str, Any]:
    known = {"content_hash": file.sha256, "filename": file.path.name, "document_version_id": "v9"}
    return {**known, "segment_set_version_id": "s9", "loader_type": "text", **changes}


def test_what_is_known_is_neither_sent_nor_read_again(tmp_path: Path) -> None:
    found = files(tmp_path, a="one", b="two")
    server = Server([held(found[0])])
    taken = take(server, found)
    assert (server.uploads, sorted(taken.segment_set_ids)) == (["b.txt"], ["s-v-b.txt", "s9"])
    assert (taken.fresh, taken.reused, taken.fresh_bytes) == (1, 1, 3)


@pytest.mark.parametrize("changes", [{"segment_set_version_id": None, "loader_type": None}, {"loader_type": "qa"}])
def test_what_is_stored_but_not_segmented_so_is_not_sent_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    (file,) = files(tmp_path, a="one")
    server = Server([held(file, **changes)])
    assert take(server, [file]).segment_set_ids == ["s-v9"]
    assert (server.uploads, server.segmented) == ([], [("v9", "text")])


def test_the_same_bytes_under_another_name_are_another_file(tmp_path: Path) -> None:
    found = files(tmp_path, a="one", b="one")
    server = Server([held(found[0])])
    take(server, found)
    assert server.uploads == ["b.txt"]


def test_the_same_file_in_two_folders_is_taken_once(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        files(tmp_path / folder, a="one")
    server = Server()
    assert take(server, files_in([tmp_path])[0]).fresh == 1


def test_bad_files_are_noted_and_stop_nothing(tmp_path: Path) -> None:
    found = files(tmp_path, a="one", b="two", c="three")
    (tmp_path / "c.txt").unlink()
    refusal = RestError("POST /documents: 400: no", status=400, reason="bad_file: no")
    server = Server(refusals={"a.txt": [refusal] * 2})
    taken = take(server, found)
    assert taken.segment_set_ids == ["s-v-b.txt"]
    assert sorted(taken.failures) == [f"{tmp_path}/a.txt: bad_file: no", f"{tmp_path}/c.txt: No such file or directory"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    server = Server(refusals={"a.txt": [RestError("busy", status=status)] * 4})
    assert take(server, files(tmp_path, a="one")).fresh == 1


@pytest.mark.parametrize("status", [None, 500])
def test_a_server_that_is_gone_ends_the_work_and_the_file_is_named(tmp_path: Path, status: int | None) -> None:
    server = Server(refusals={"a.txt": [RestError("no answer", status=status)]})
    with pytest.raises(RestError, match=r"a\.txt: no answer"):
        take(server, files(tmp_path, a="one"))


def test_small_files_are_sent_together_and_large_ones_alone(tmp_path: Path) -> None:
    found = files(tmp_path, a="one", b="two", c="x" * 300_000)
    server = Server()
    server.unreadable = {"b.txt"}
    taken = take(server, found)
    assert (server.together, server.uploads) == ([["a.txt", "b.txt"]], ["c.txt"])
    assert taken.fresh == 2
    assert taken.failures == [f"{tmp_path}/b.txt: invalid_loader_params: no"]


def test_a_group_that_is_refused_is_sent_one_by_one(tmp_path: Path) -> None:
    server = Server(refusals={"b.txt": [RestError("422: name", status=422)] * 2})
    taken = take(server, files(tmp_path, a="one", b="two"))
    assert (taken.segment_set_ids, taken.failures) == (["s-v-a.txt"], [f"{tmp_path}/b.txt: 422: name"])


def test_two_hundred_small_files_go_in_groups(tmp_path: Path) -> None:
    server = Server()
    taken = take(server, files(tmp_path, **{f"f{number}": str(number) for number in range(200)}))
    assert sorted(map(len, server.together)) == [8, 64, 64, 64]
    assert (taken.fresh, server.uploads) == (200, [])


def test_files_are_read_by_their_endings() -> None:
    endings = ("a.PDF", "a.xlsx", "a.md", "a.htm", "a.tsv", "a.jsonl", "a.unknown", "README")
    loaders = ["pdf", "excel", "markdown", "html", "csv", "json", "text", "text"]
    assert [LocalFile(Path(name)).loader_type for name in endings] == loaders


def test_a_named_file_is_taken_whatever_its_ending_and_those_of_folders_by_theirs(tmp_path: Path) -> None:
    for name in ("a.txt", "b.bin", "c.bin"):
        (tmp_path / name).write_text(name)
    found, left_out = files_in([tmp_path, tmp_path / "b.bin"])
    assert [file.path.name for file in found] == ["a.txt", "b.bin"]
    assert left_out == [tmp_path / "c.bin"]


@pytest.mark.parametrize(
    ("ending", "loader"), [("jsonl", "json"), ("NDJSON", "json"), ("ods", "excel"), ("xls", "excel")]
)
def test_a_folder_gives_every_kind_of_file_that_a_loader_reads(tmp_path: Path, ending: str, loader: str) -> None:
    (tmp_path / f"file.{ending}").write_bytes(b"x")
    (taken,), left_out = files_in([tmp_path])
    assert (taken.loader_type, left_out) == (loader, [])

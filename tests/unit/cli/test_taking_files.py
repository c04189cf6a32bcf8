"""Bringing files to a server that is a double: what is sent, what is left out, what ends the work."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shoald.cli.local_files import LocalFile, SamePath, files_in, folder_name
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.taking_files import Taken, take_files


class Server(RestClient):
    """Notes what it is sent; `refusals` maps file names to the errors that their uploads meet, one after another.

    `paths` are those of its documents.
    """

    def __init__(
        self, held: list[Mapping[str, Any]] | None = None, refusals: dict[str, list[RestError]] | None = None
    ) -> None:
        self.held = held or []
        self.refusals = refusals or {}
        self.paths: dict[str, str] = {}
        self.uploads: list[str] = []
        self.sent_to: list[str] = []
        self.together: list[list[str]] = []
        self.unreadable: set[str] = set()
        self.segmented: list[tuple[str, str]] = []

    def post(self, path: str, body: Any = None) -> Any:
        assert path.endswith("/documents/find")
        return {"contents": [one for one in self.held if one["content_hash"] in body["content_hashes"]]}

    def rows(self, path: str) -> Iterator[Any]:
        assert path == "/api/v1/projects/p1/documents"
        for source_path, document_id in self.paths.items():
            yield {"document_id": document_id, "metadata": {"size": 1, "source_path": source_path}}
        yield {"document_id": "d9", "metadata": {"size": 1}}

    def upload(self, path: str, file: Path, *, content_type: str, fields: Mapping[str, str] | None = None) -> Any:
        del content_type
        self.sent_to.append(f"{path} {(fields or {})['source_path']}")
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
        return {"files": [self._made_of(name) for name in names]}

    def _made_of(self, name: str) -> dict[str, Any]:
        if name in self.unreadable:
            return {"segment_set_version_id": None, "error_code": "invalid_loader_params", "error_message": "no"}
        return {"segment_set_version_id": f"s-v-{name}", "error_code": None, "error_message": None}

    def post_and_count(self, path: str, body: Any, *, set_key: str) -> dict[str, Any]:
        assert set_key == "segment_set"
        version_id = path.split("/")[-2]
        self.segmented.append((version_id, body["loader_type"]))
        return {"segment_set_version_id": f"s-{version_id}"}


def files(folder: Path, **contents: str) -> list[LocalFile]:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.txt").write_text(content)
    return files_in([folder])[0]


def take(server: Server, found: list[LocalFile]) -> Taken:
    return take_files(server, "p1", found, lambda _fraction, _message="": None)


def held(file: LocalFile, **changes: Any) -> dict[str, Any]:
    known = {"content_hash": file.sha256, "filename": file.path.name, "document_id": "d9", "document_version_id": "v9"}
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


def test_a_file_that_changed_becomes_a_version_of_its_document(tmp_path: Path) -> None:
    found = files(tmp_path / "notes", a="new", b="two")
    server = Server()
    server.paths = {"notes/a.txt": "d1"}
    taken = take(server, found)
    assert sorted(server.sent_to) == [
        "/api/v1/documents/d1/versions notes/a.txt",
        "/api/v1/projects/p1/documents notes/b.txt",
    ]
    assert (taken.fresh, taken.changed, sorted(taken.segment_set_ids)) == (2, 1, ["s-v-a.txt", "s-v-b.txt"])


def test_a_file_that_has_not_changed_is_known_by_its_path(tmp_path: Path) -> None:
    (file,) = files(tmp_path / "notes", a="one")
    server = Server([held(file, document_id="d1"), held(file, document_id="d2")])
    server.paths = {"notes/a.txt": "d1", "other/a.txt": "d2"}
    taken = take(server, [file])
    assert (server.sent_to, taken.reused) == ([], 1)


def test_the_document_of_another_path_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (file,) = files(tmp_path / "notes", a="one")
    server = Server([held(file, document_id="d2")])
    server.paths = {"old/a.txt": "d2"}
    take(server, [file])
    assert server.sent_to == ["/api/v1/projects/p1/documents notes/a.txt"]


def test_a_copy_that_has_a_document_of_its_own_is_brought_up_to_date(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        files(tmp_path / folder, a="one")
    server = Server()
    server.paths = {f"{tmp_path.name}/y/a.txt": "d1"}
    taken = take(server, files_in([tmp_path])[0])
    assert (taken.fresh, taken.changed) == (2, 1)


def test_what_vanished_from_a_folder_is_known(tmp_path: Path) -> None:
    (file,) = files(tmp_path / "notes", a="one")
    server = Server()
    server.paths = {"notes/a.txt": "d1", "notes/gone.txt": "d2", "other/gone.txt": "d3", "gone.txt": "d4"}
    assert take(server, [file]).known.vanished(["notes"], {"notes/a.txt"}) == {"notes/gone.txt": "d2"}


def test_a_busy_server_is_not_given_a_second_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    server, calls = Server(), iter([RestError("busy", status=503)])
    server.paths = {"notes/a.txt": "d1"}
    segment = server.post_and_count

    def busy_at_first(path: str, body: Any, *, set_key: str) -> dict[str, Any]:
        if (refusal := next(calls, None)) is not None:
            raise refusal
        return segment(path, body, set_key=set_key)

    monkeypatch.setattr(server, "post_and_count", busy_at_first)
    assert take(server, files(tmp_path / "notes", a="new")).changed == 1
    assert len(server.sent_to) == 1


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
    assert [file.path for file in left_out] == [tmp_path / "c.bin"]


def test_a_file_is_called_by_its_folder_and_the_way_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes" / "below").mkdir(parents=True)
    files(tmp_path / "notes" / "below", a="one")
    monkeypatch.chdir(tmp_path / "notes")
    named: list[tuple[list[str], str]] = [
        ([str(tmp_path / "notes")], "notes/below/a.txt"),
        (["."], "notes/below/a.txt"),
        (["below", "../notes"], "notes/below/a.txt"),
        (["below/a.txt"], "a.txt"),
    ]
    for paths, called in named:
        assert [file.source_path for file in files_in([Path(path) for path in paths])[0]] == [called]


def test_names_that_are_not_utf_8_are_sent_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for name in (b"M\xfcnchen.txt", b"M\xe9nchen.txt"):
        (folder / os.fsdecode(name)).write_text(str(name))
    server = Server()
    taken = take(server, files_in([folder])[0])
    assert server.together == [["M%E9nchen.txt", "M%FCnchen.txt"]]
    assert sorted(taken.segment_sets) == ["caf%E9/M%E9nchen.txt", "caf%E9/M%FCnchen.txt"]
    assert folder_name(folder) == "caf%E9"


def test_two_files_of_one_path_are_refused(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        files(tmp_path / folder / "notes", a="one")
    with pytest.raises(SamePath, match=r"notes/a\.txt"):
        files_in([tmp_path / "x" / "notes", tmp_path / "y" / "notes"])


@pytest.mark.parametrize(
    ("ending", "loader"), [("jsonl", "json"), ("NDJSON", "json"), ("ods", "excel"), ("xls", "excel")]
)
def test_a_folder_gives_every_kind_of_file_that_a_loader_reads(tmp_path: Path, ending: str, loader: str) -> None:
    (tmp_path / f"file.{ending}").write_bytes(b"x")
    (taken,), left_out = files_in([tmp_path])
    assert (taken.loader_type, left_out) == (loader, [])

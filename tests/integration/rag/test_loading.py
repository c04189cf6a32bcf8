"""Files through their loaders into stored sets: pictures are kept, parents are in the set, failures leave no trace."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from shoald.application.documents import FileInfo
from shoald.application.jobs import INLINE_SECONDS
from shoald.application.segmenting import Segmentation, _loading_seconds
from shoald.application.whole_lists import ListRange
from shoald.domain.failures import DeadlineExceeded, InvalidLoaderParams, StorageFull
from shoald.domain.job_states import TERMINAL
from shoald.domain.records.segment_set import SegmentSet, SetItem
from support.office_files import archive, handbook, png, report, word_file
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration


def items(path: RagPath, segment_set: SegmentSet) -> Sequence[SetItem]:
    return [item for batch in path.use_cases.segmenting.items(segment_set) for item in batch]


def test_pictures_are_kept_and_named_in_the_metadata(path: RagPath) -> None:
    version = path.upload(word_file(handbook), "book.docx")
    first, again = (items(path, path.segment(version, loader="docx")) for _ in range(2))
    (picture,) = (item for item in first if item.type == "image")
    objects = path.adapters.objects
    assert objects.get(objects.key_of(picture.metadata["object_uri"])) == png()
    assert (picture.metadata["mime"], picture.metadata["size"]) == ("image/png", len(png()))
    # the same bytes are the same object
    assert [item.metadata["object_uri"] for item in again if item.type == "image"] == [picture.metadata["object_uri"]]


def test_parents_are_items_of_the_same_set(path: RagPath) -> None:
    found = items(path, path.segment(path.upload(word_file(handbook), "book.docx"), loader="docx"))
    ids = [item.item_id for item in found]
    assert [ids.index(item.parent_id) if item.parent_id else None for item in found] == [None, 0, 1, 1, 1, 4, 0]
    assert [item.position for item in found] == list(range(len(found)))


def test_a_full_object_store_leaves_no_set_behind_and_the_job_goes_on(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = path.upload(report(), "report.pdf")

    def full() -> None:
        raise StorageFull

    how = Segmentation(loader_type="pdf", loader_params={})
    with monkeypatch.context() as patch:
        patch.setattr(path.adapters.objects, "open_writer", full)
        with pytest.raises(DeadlineExceeded, match="goes on") as caught:
            path.use_cases.segmenting.create(path.caller, version.version_id, how, Here(seconds=0.1))
    assert not sets_of(path)
    with path.adapters.open_unit_of_work() as uow:
        job = uow.jobs.get(str(caught.value.detail["job_id"]))
    assert job is not None
    assert job.failures == 1
    assert job.state not in TERMINAL


def test_a_bomb_fails_its_job_and_nothing_else(path: RagPath) -> None:
    bomb = path.upload(archive({"word/document.xml": bytes(40 * 1024 * 1024)}), "bomb.docx")
    with pytest.raises(InvalidLoaderParams, match="would unpack to"):
        path.segment(bomb, loader="docx")
    assert not sets_of(path)
    assert path.segment(path.upload(report(), "report.pdf"), loader="pdf").total_items == 4


def sets_of(path: RagPath) -> Sequence[SegmentSet]:
    return path.use_cases.segmenting.list(path.caller, path.project.project_id, ListRange()).rows


def test_parameters_of_the_version_are_defaults(path: RagPath) -> None:
    with path.use_cases.documents.upload(path.caller, path.project.project_id) as upload:
        upload.write(json.dumps({"a": [1, 2], "b": 3}).encode())
        info = FileInfo(filename="x.json", parser_params={"jq_schema": ".a", "chunk_size": 7})
        version = upload.finish(info)[1]
    by_default = path.segment(version, loader="json")
    assert [item.content for item in items(path, by_default)] == ["1", "2"]
    assert by_default.params["loader_params"] == {"jq_schema": ".a"}
    how = Segmentation(loader_type="json", loader_params={"jq_schema": ".b"})
    given = path.use_cases.segmenting.create(path.caller, version.version_id, how, Here())
    assert [item.content for item in items(path, given)] == ["3"]


@pytest.mark.parametrize(("loader", "size"), [("json", 5_000), ("text", 200_000), ("csv", 20_000)])
def test_what_is_surely_short_may_be_loaded_by_the_server(loader: str, size: int) -> None:
    seconds = _loading_seconds({"loader_type": loader, "loader_params": {}}, size)
    assert seconds is not None
    assert seconds < INLINE_SECONDS


@pytest.mark.parametrize(
    ("loader", "params", "size"),
    [
        *(("json", {}, 200_000), ("json", {"jq_schema": ".[]"}, 10), ("text", {}, 5_000_000), ("csv", {}, 200_000)),
        *(("PDF", {}, 10), ("docx", {}, 10), ("excel", {}, 10), ("pptx", {}, 10)),
    ],
)
def test_all_else_is_for_workers(loader: str, params: dict[str, str], size: int) -> None:
    seconds = _loading_seconds({"loader_type": loader, "loader_params": params}, size)
    assert seconds is None or seconds >= INLINE_SECONDS


def test_an_attempt_that_nobody_would_repeat_fails_its_test_at_once(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = path.upload(report(), "report.pdf")

    def full() -> None:
        raise StorageFull

    monkeypatch.setattr(path.adapters.objects, "open_writer", full)
    with pytest.raises(AssertionError, match="no worker is here"):
        path.segment(version, loader="pdf")

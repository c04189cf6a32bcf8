"""Deletion and restoration, derived sets, versions and the feed: what is active, what is hidden, what comes back."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shoald.application.bulk_ingesting import SmallFile
from shoald.application.clone_patching import ClonePatch
from shoald.application.documents import FileInfo
from shoald.application.jobs import Jobs
from shoald.application.listing import ListQuery, Selection
from shoald.application.object_sweep import ObjectSweep
from shoald.application.ports.object_store import StoredObject
from shoald.application.whole_lists import ListRange
from shoald.domain.failures import (
    ArtifactNotFound,
    ChunkItemNotFound,
    CollectionNotFound,
    DocumentNotFound,
    NotFound,
    SegmentItemNotFound,
    Unavailable,
)
from shoald.domain.records.collection import Collection
from shoald.domain.records.document import DocumentVersion
from shoald.domain.records.job import Job
from shoald.domain.records.segment_set import SegmentSet
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration
_ALL = ListRange()


def _join(path: RagPath) -> SegmentSet:
    return path.use_cases.joining.create(path.caller, path.project.project_id, [], Here())


def _document_of(path: RagPath, segment_set: SegmentSet) -> str:
    with path.adapters.open_unit_of_work() as uow:
        version_id = str(segment_set.document_version_id)
        return uow.documents.of_versions([version_id])[version_id].document_id


def _delete(path: RagPath, artifact_id: str) -> None:
    path.use_cases.lineage.delete(path.caller, artifact_id)


def _restore(path: RagPath, artifact_id: str) -> None:
    path.use_cases.lineage.restore(path.caller, artifact_id)


def _new_version(path: RagPath, document_id: str, content: bytes) -> DocumentVersion:
    with path.use_cases.documents.upload_version(path.caller, document_id) as upload:
        upload.write(content)
        return upload.finish(FileInfo(filename="again.json"))[1]


def _clone(path: RagPath, segment_set: SegmentSet, content: str) -> SegmentSet:
    item = next(iter(path.use_cases.segmenting.items(segment_set)))[0]
    change = ClonePatch(item_id=item.item_id, patch={"content": content}, params={})
    return path.use_cases.clone_patching.segment_set(path.caller, segment_set.segment_set_version_id, change, Here())


def _together(*work: Callable[[], object]) -> list[object]:
    """Run these at once; what one raises is raised here."""
    start = threading.Barrier(len(work))

    def begin(one: Callable[[], object]) -> object:
        start.wait()
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(begin, work))


def _texts(path: RagPath, segment_set: SegmentSet) -> list[str]:
    return [item.content for batch in path.use_cases.segmenting.items(segment_set) for item in batch]


def _hits(path: RagPath, query: str, **request: Any) -> list[str]:
    return [item.page_content for item in path.by_words(query, **request).items]


def test_a_joined_set_and_what_was_made_of_it_hide_the_passages_of_a_deleted_document(path: RagPath) -> None:
    first, second = path.texts("an apple", "a pear"), path.texts("an apple too", "a plum")
    joined = _join(path)
    chunk_set = path.chunk(joined)
    build = path.build(path.index(), chunk_set)
    assert _hits(path, "apple") == ["an apple", "an apple too"]  # from here on the cache knows it
    run_id = str(path.by_words("apple", persist=True).run_id)
    item_id = next(iter(path.use_cases.segmenting.items(joined)))[0].item_id
    document_id = _document_of(path, first)
    _delete(path, document_id)
    assert _texts(path, joined) == ["an apple too", "a plum"]
    runs = path.use_cases.retrieval_runs
    for run in (runs.get(path.caller, run_id), *runs.list(path.caller, path.project.project_id, _ALL).rows):
        assert [item["page_content"] for item in run.results["items"]] == ["an apple too"]
    change = ClonePatch(item_id=item_id, patch={}, params={})
    with pytest.raises(SegmentItemNotFound):
        path.use_cases.clone_patching.segment_set(path.caller, joined.segment_set_version_id, change, Here())
    assert [i.content for batch in path.use_cases.chunking.items(chunk_set) for i in batch] == [
        "an apple too",
        "a plum",
    ]
    assert _hits(path, "apple") == ["an apple too"]
    assert _hits(path, "apple", target="segment_set", target_id=joined.segment_set_version_id) == ["an apple too"]
    by_vectors = path.by_vectors("an apple", build, k=10)
    assert sorted(item.page_content for item in by_vectors.items) == ["a plum", "an apple too"]
    assert by_vectors.total == 2
    assert path.chunk(joined).total_items == 2
    assert _texts(path, _join(path)) == ["an apple too", "a plum"]
    _restore(path, document_id)
    assert _texts(path, joined) == ["an apple", "a pear", "an apple too", "a plum"]
    assert _hits(path, "apple", target_id=chunk_set.chunk_set_version_id) == ["an apple", "an apple too"]
    _delete(path, str(second.document_version_id))
    assert _texts(path, joined) == ["an apple", "a pear"]


@pytest.mark.parametrize("index_type", ["chunk_vectors", "segment_vectors"])
def test_a_build_leaves_out_the_passages_of_deleted_documents(path: RagPath, index_type: str) -> None:
    first, _ = path.texts("an apple", "a pear"), path.texts("a plum")
    chunk_set = path.chunk(_join(path))
    _delete(path, _document_of(path, first))
    index = path.index(index_type=index_type)
    build = path.build(index, chunk_set)
    with path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(index.index_id)
    assert collection is not None
    assert (build.manifest["vectors"], collection.document_count) == (1, 1)
    _restore(path, _document_of(path, first))
    assert [item.page_content for item in path.by_vectors("a plum", build, k=10).items] == ["a plum"]


def test_the_collection_of_an_index_is_hidden_with_what_its_documents_came_from(path: RagPath) -> None:
    segment_set = path.texts("one")
    index = path.index()
    build = path.build(index, path.chunk(segment_set))
    collections = path.use_cases.collections
    (made,) = collections.list(path.caller, ListQuery()).items
    assert all(_ways_to(path, made))
    for deleted in (index.index_id, build.build_id, _document_of(path, segment_set)):
        _delete(path, deleted)
        assert not any(_ways_to(path, made))
        assert collections.list(path.caller, ListQuery(include_total=True)).total == 0
        with pytest.raises(CollectionNotFound):
            collections.get(path.caller, made.collection_id)
        path.build(path.index(), path.chunk(path.texts("two")))  # of the same name, which is still taken
        _delete(path, path.use_cases.indexes.list(path.caller, path.project.project_id, _ALL).rows[0].index_id)
        _restore(path, deleted)
    assert collections.get(path.caller, made.collection_id) == made


def _ways_to(path: RagPath, made: Collection) -> list[bool]:
    """Say of each way that a collection, or a document of it, is found whether it is."""
    namespace, one = path.caller.namespace_id, made.collection_id
    with path.adapters.open_unit_of_work() as uow:
        rows = uow.collections
        (document,) = rows.documents([one], Selection(limit=1))
        return [
            one in rows.ids_in(namespace),
            one in rows.find_many(namespace, [one]),
            one in {found.collection_id for found in rows.get_many(namespace, [one])},
            one in rows.names(namespace, [one]),
            rows.are_at(namespace, {one: made.revision}),
            rows.documents_in_namespace(namespace, [document.document_id]) != [],
        ]


def test_the_deletion_of_the_active_set_activates_nothing(path: RagPath) -> None:
    version = path.upload(b'["one"]')
    older, newer = path.segment(version), path.segment(version)
    _delete(path, newer.segment_set_version_id)
    assert not path.use_cases.segmenting.get(path.caller, older.segment_set_version_id).is_active
    _restore(path, newer.segment_set_version_id)
    assert path.use_cases.segmenting.get(path.caller, newer.segment_set_version_id).is_active
    assert path.chunk(older).is_active  # a set that is not active can still be cut
    _delete(path, newer.segment_set_version_id)
    third = path.segment(version)
    _restore(path, newer.segment_set_version_id)
    states = [
        path.use_cases.segmenting.get(path.caller, one.segment_set_version_id).is_active for one in (newer, third)
    ]
    assert states == [False, True]


def test_one_segment_set_is_active_however_many_are_made_and_derived_at_once(path: RagPath) -> None:
    version = path.upload(b'["one", "two"]')
    source = path.segment(version)
    _together(
        *(lambda: path.segment(version) for _ in range(2)),
        *(lambda n=n: _clone(path, source, f"patched {n}") for n in range(3)),
    )
    sets = path.use_cases.segmenting.list(path.caller, path.project.project_id, _ALL).rows
    assert len(sets) == 6
    assert sum(one.is_active for one in sets) == 1
    derived = [one for one in sets if one.parent_segment_set_version_id == source.segment_set_version_id]
    assert sorted(_texts(path, one)[0] for one in derived) == ["patched 0", "patched 1", "patched 2"]
    assert _texts(path, source) == ["one", "two"]


def test_one_version_is_active_however_many_are_uploaded_at_once(path: RagPath) -> None:
    document_id = path.upload(b"0").document_id
    _together(*(lambda n=n: _new_version(path, document_id, str(n).encode()) for n in range(1, 5)))
    versions = path.use_cases.documents.list_versions(path.caller, document_id, _ALL).rows
    assert sum(version.is_active for version in versions) == 1
    # each names the one before it: a chain
    parents = {version.input_refs.get("parent_version_id") for version in versions}
    assert len(parents) == len(versions)
    document = path.use_cases.documents.get(path.caller, document_id)
    active = next(version for version in versions if version.is_active)
    assert document.storage_uri == active.artifact_uri


def test_the_numbers_of_a_feed_have_no_gaps_however_many_are_added_at_once(path: RagPath) -> None:
    version = path.upload(b'["one"]')
    _together(*(lambda: path.upload(b'["two"]') for _ in range(3)), *(lambda: path.segment(version) for _ in range(2)))
    page = path.use_cases.lineage.page(path.caller, path.project.project_id)
    assert page.total == len(page.items) == len({item.artifact_id for item in page.items}) == 2 + 3 * 2 + 2
    seen = [
        item.artifact_id
        for offset in range(page.total)
        for item in path.use_cases.lineage.page(path.caller, path.project.project_id, limit=1, offset=offset).items
    ]
    assert seen == [item.artifact_id for item in page.items]


def test_of_two_who_delete_at_once_one_is_told_that_it_is_gone(path: RagPath) -> None:
    document_id = path.upload(b"x").document_id

    def delete() -> bool:
        try:
            _delete(path, document_id)
        except ArtifactNotFound:
            return False
        return True

    assert sorted(_together(*[delete] * 4), key=bool) == [False, False, False, True]
    events = path.use_cases.lineage.events(path.caller, document_id, _ALL).rows
    assert [event.action for event in events] == ["deleted"]


def test_a_version_cannot_be_added_to_a_document_that_was_deleted_while_it_came(path: RagPath) -> None:
    document_id = path.upload(b"x").document_id
    with path.use_cases.documents.upload_version(path.caller, document_id) as upload:
        upload.write(b"y")
        _delete(path, document_id)
        with pytest.raises(DocumentNotFound):
            upload.finish(FileInfo(filename="y"))
    _restore(path, document_id)
    assert len(path.use_cases.documents.list_versions(path.caller, document_id, _ALL).rows) == 1


def test_an_item_of_another_set_is_not_found_in_this_one(path: RagPath) -> None:
    one, other = path.chunk(path.texts("one")), path.chunk(path.texts("other"))
    item = next(iter(path.use_cases.chunking.items(other)))[0]
    change = ClonePatch(item_id=item.item_id, patch={}, params={})
    with pytest.raises(ChunkItemNotFound):
        path.use_cases.clone_patching.chunk_set(path.caller, one.chunk_set_version_id, change, Here())


def test_a_patched_passage_of_a_joined_set_still_hides_with_its_document(path: RagPath) -> None:
    first = path.texts("an apple")
    path.texts("a plum")
    joined = _join(path)
    patch = ClonePatch(item_id="", patch={"metadata": {"checked": True}}, params={})
    item = next(iter(path.use_cases.segmenting.items(joined)))[0]
    change, set_id = replace(patch, item_id=item.item_id), joined.segment_set_version_id
    derived = path.use_cases.clone_patching.segment_set(path.caller, set_id, change, Here())
    chunk_set = path.chunk(derived)
    chunk = next(iter(path.use_cases.chunking.items(chunk_set)))[0]
    change, set_id = replace(patch, item_id=chunk.item_id), chunk_set.chunk_set_version_id
    derived_chunks = path.use_cases.clone_patching.chunk_set(path.caller, set_id, change, Here())
    patched = next(iter(path.use_cases.chunking.items(derived_chunks)))[0]
    assert set(patched.metadata) == {"checked", "document_id", "document_version_id", "filename"}
    _delete(path, _document_of(path, first))
    assert _texts(path, derived) == ["a plum"]
    assert [i.content for batch in path.use_cases.chunking.items(derived_chunks) for i in batch] == ["a plum"]


class Tomorrow:
    """A clock for which everything here is old."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=2)


def _sweep(path: RagPath) -> int:
    opens, objects = path.adapters.open_unit_of_work, path.adapters.objects
    return ObjectSweep(open_unit_of_work=opens, objects=objects, clock=Tomorrow()).run_pass()


def _publish(path: RagPath, content: bytes) -> StoredObject:
    with path.adapters.objects.open_writer() as writer:
        writer.write(content)
        return writer.publish()


def test_equal_bytes_are_one_object_that_stays_while_a_version_names_it(path: RagPath) -> None:
    one, other = path.upload(b"same"), path.upload(b"same", "copy.json")
    assert one.artifact_uri == other.artifact_uri
    for version in (one, other):
        _delete(path, version.document_id)
    assert _sweep(path) == 0  # what is deleted softly can be restored
    _restore(path, one.document_id)
    content = path.use_cases.documents.content(path.caller, one.version_id)
    assert b"".join(content.parts(0, None)) == b"same"


def test_uploads_that_were_not_stored_and_what_jobs_were_given_are_swept_up(path: RagPath) -> None:
    objects = path.adapters.objects
    kept = path.upload(b"kept")
    path.segment(kept, text="given to a job")
    gone = _publish(path, b"nobody stored a document of this").key
    assert {one.key.split("/")[0] for one in objects.list("")} >= {"blobs", "job_inputs"}
    assert _sweep(path) == 2
    assert not objects.exists(gone)
    assert [one.key for one in objects.list("job_inputs")] == []
    assert objects.exists(objects.key_of(str(kept.artifact_uri)))


@dataclass(frozen=True, kw_only=True)
class Swept(Here):
    """Sweeps while the job is under way, when one of its pictures lies there and nothing names it yet."""

    path: RagPath

    def finish(self, jobs: Jobs, job: Job) -> Job:
        _publish(self.path, b"a picture that the job found, and that lay there before")
        assert _sweep(self.path) == 0
        return super().finish(jobs, job)


def test_pictures_of_files_that_come_together_stay_until_their_sets_name_them(path: RagPath) -> None:
    files = [SmallFile(file=FileInfo(filename="a.txt"), loader_type="text", content=b"x")]
    path.use_cases.bulk_ingesting.ingest(path.caller, path.project.project_id, files, Swept(path=path))
    assert _sweep(path) == 1


def test_the_sweep_and_an_upload_of_the_same_bytes_never_leave_a_version_without_them(path: RagPath) -> None:
    stored = _publish(path, b"old and unnamed")
    uri = path.adapters.objects.uri(stored.key)
    with path.adapters.open_unit_of_work() as sweeping:
        assert sweeping.object_references.seize(stored.key, uri)
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(path.upload, b"old and unnamed")
            with pytest.raises(TimeoutError):
                coming.result(timeout=0.3)
            path.adapters.objects.delete(stored.key)
            sweeping.commit()
            with pytest.raises(Unavailable):
                coming.result(timeout=5)
    version = path.upload(b"old and unnamed")
    assert path.adapters.objects.exists(path.adapters.objects.key_of(str(version.artifact_uri)))


class Model:
    """What should be found, kept beside a project in which things are made, deleted and restored."""

    def __init__(self, path: RagPath, seed: int) -> None:
        self.path = path
        self.choose = random.Random(seed)
        self.above: dict[str, list[str]] = {}
        self.read: dict[str, Callable[[], object]] = {}
        self.kinds: dict[str, list[Any]] = {"version": [], "segments": [], "chunks": [], "index": []}
        self.deleted: set[str] = set()
        self.builds: set[str] = set()

    def is_visible(self, artifact_id: str) -> bool:
        return artifact_id not in self.deleted and all(map(self.is_visible, self.above[artifact_id]))

    def observed(self) -> dict[str, object]:
        """Read everything there is, by its id; what is not found is absent."""
        found = {}
        for artifact_id, read in self.read.items():
            try:
                found[artifact_id] = read()
            except NotFound:
                continue
        return found

    def check(self) -> None:
        assert set(self.observed()) == {one for one in self.above if self.is_visible(one)}
        path, cases = self.path, self.path.use_cases
        project = path.project.project_id
        listed = {
            *(one.document_id for one in cases.documents.list(path.caller, project, _ALL).rows),
            *(one.segment_set_version_id for one in cases.segmenting.list(path.caller, project, _ALL).rows),
            *(one.chunk_set_version_id for one in cases.chunking.list(path.caller, project, _ALL).rows),
            *(one.index_id for one in cases.indexes.list(path.caller, project, _ALL).rows),
            *(one.run_id for one in cases.retrieval_runs.list(path.caller, project, _ALL).rows),
        }
        alone = {one for one in self.above if one not in self.within}
        assert listed == {one for one in alone if self.is_visible(one)}
        assert cases.lineage.page(path.caller, project).total == len(self.above)

    @property
    def within(self) -> set[str]:
        """What is listed below something else only."""
        return {version.version_id for version in self.kinds["version"]} | self.builds

    def _add(self, artifact_id: str, above: list[str], read: Callable[[], object]) -> None:
        self.above[artifact_id], self.read[artifact_id] = above, read

    def upload(self) -> None:
        path, documents = self.path, self.path.use_cases.documents
        version = path.upload(json.dumps([f"text {len(self.above)}"]).encode())
        self.kinds["version"].append(version)
        self._add(version.document_id, [], lambda: documents.get(path.caller, version.document_id))
        self._add(
            version.version_id,
            [version.document_id],
            lambda: documents.content(path.caller, version.version_id).version,
        )

    def segment(self) -> None:
        path, version = self.path, self.choose.choice(self.kinds["version"])
        if not self.is_visible(version.version_id):
            with pytest.raises(NotFound):
                path.segment(version)
            return
        made = path.segment(version)
        self.kinds["segments"].append(made)
        made_id = made.segment_set_version_id
        self._add(made_id, [version.version_id], lambda: path.use_cases.segmenting.get(path.caller, made_id))

    def chunk(self) -> None:
        path, source = self.path, self.choose.choice(self.kinds["segments"])
        if not self.is_visible(source.segment_set_version_id):
            with pytest.raises(NotFound):
                path.chunk(source)
            return
        made = path.chunk(source)
        self.kinds["chunks"].append(made)
        made_id = made.chunk_set_version_id
        self._add(made_id, [source.segment_set_version_id], lambda: path.use_cases.chunking.get(path.caller, made_id))

    def index(self) -> None:
        path, made = self.path, self.path.index()
        self.kinds["index"].append(made)
        self._add(made.index_id, [], lambda: path.use_cases.indexes.get(path.caller, made.index_id))

    def build(self) -> None:
        path = self.path
        index, chunks = self.choose.choice(self.kinds["index"]), self.choose.choice(self.kinds["chunks"])
        above = [index.index_id, chunks.chunk_set_version_id]
        if not all(map(self.is_visible, above)):
            with pytest.raises(NotFound):
                path.build(index, chunks)
            return
        made = path.build(index, chunks).build_id
        self.builds.add(made)
        self._add(made, above, lambda: path.use_cases.index_building.get(path.caller, made))

    def retrieve(self) -> None:
        path, chunks = self.path, self.choose.choice(self.kinds["chunks"])
        chunk_set_id = chunks.chunk_set_version_id
        if not self.is_visible(chunk_set_id):
            with pytest.raises(NotFound):
                path.by_words("text", target_id=chunk_set_id)
            return
        run_id = str(path.by_words("text", target_id=chunk_set_id, persist=True).run_id)
        self._add(run_id, [chunk_set_id], lambda: path.use_cases.retrieval_runs.get(path.caller, run_id))

    def delete(self) -> None:
        artifact_id = self.choose.choice(list(self.above))
        if not self.is_visible(artifact_id):
            with pytest.raises(ArtifactNotFound):
                _delete(self.path, artifact_id)
            return
        _delete(self.path, artifact_id)
        self.deleted.add(artifact_id)

    def restore(self) -> None:
        artifact_id = self.choose.choice(list(self.above))
        _restore(self.path, artifact_id)
        self.deleted.discard(artifact_id)

    def delete_and_restore(self) -> None:
        """Find everything as it was."""
        before = self.observed()
        artifact_id = self.choose.choice([one for one in self.above if self.is_visible(one)] or [""])
        if artifact_id:
            _delete(self.path, artifact_id)
            assert artifact_id not in self.observed()
            _restore(self.path, artifact_id)
            assert self.observed() == before


def _play(path: RagPath, seed: int, steps: int) -> None:
    model = Model(path, seed)
    for first in (model.upload, model.segment, model.chunk, model.index, model.build, model.retrieve):
        first()
    rules = [
        model.upload,
        model.segment,
        model.chunk,
        model.index,
        model.build,
        model.retrieve,
        model.delete_and_restore,
    ]
    rules += [model.delete] * 3 + [model.restore] * 5
    for _ in range(steps):
        model.choose.choice(rules)()
        model.check()


def test_what_hangs_below_a_deleted_thing_is_found_nowhere_and_comes_back_as_it_was(path: RagPath) -> None:
    _play(path, seed=34, steps=25)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_what_hangs_below_a_deleted_thing_is_found_nowhere_in_two_thousand_steps(path: RagPath, seed: int) -> None:
    _play(path, seed=seed, steps=200)

"""Chunk sets: a segment set goes in, verbatim pieces of its segments come out as a set, made by a job."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shoald.application import producers
from shoald.application.hidden_passages import as_seen, hidden_positions
from shoald.application.jobs import JobRequest
from shoald.application.presets import filled_cutting
from shoald.application.projects import visible_project
from shoald.application.segmenting import visible_segment_set
from shoald.application.sentence_embedding import SentenceEmbedding, provider_of
from shoald.application.set_items import Totals, batch_size, item_batches, json_batches
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.chunking import Chunker, TableSpan, chunker
from shoald.domain.chunking.parameters import refuse, size_and_overlap
from shoald.domain.failures import ChunkSetNotFound, SegmentSetNotFound
from shoald.domain.identifiers import new_uuid, new_uuids
from shoald.domain.json_types import JsonObject, JsonText, opened_text
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet, SetItem
from shoald.domain.vocabulary import ChunkStrategy, EmbeddingProvider, JobType, SegmentType

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.jobs import Jobs
    from shoald.application.keyword_indexing import KeywordIndexJobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.waiting import Patience
    from shoald.domain.records.job import Job

# what a job that does nothing costs, and what one second cuts and stores
_LEAST_SECONDS = 0.01
_CHARACTERS_PER_SECOND = 5_000_000
_ITEMS_PER_SECOND = 100_000
_MOCK_CHARACTERS_PER_SECOND = 500_000
# what a worker must do: a pattern may run until its time is over, a model loads for seconds
_SLOW_SECONDS = 60.0
_MARKDOWN = "markdown"
MOST_TIMES = 32
"""How often a text may stand in its chunks, by their overlap; a set of `FREE_CHARACTERS` is never too large."""
FREE_CHARACTERS = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How to cut: a documented strategy, in any case, with its parameters.

    What a caller leaves out is filled from the project's preset, else `recursive`.
    """

    strategy: str | None = None
    params: JsonObject = field(default_factory=dict)


class Chunking:
    """Makes chunk sets of segment sets, and reads them."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs, embedding: SentenceEmbedding) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs
        self._embedding = embedding

    def create(self, caller: Caller, segment_set_id: str, how: Cutting, patience: Patience) -> ChunkSet:
        """Cut a segment set and return the chunk set, which is then the active one of its project.

        Raises `SegmentSetNotFound`, `UnsupportedChunkStrategy`, `InvalidChunkerParams`.
        """
        with self._open_unit_of_work() as uow:
            segment_set = visible_segment_set(uow, caller, segment_set_id)
            project = visible_project(uow, caller, segment_set.project_id)
            strategy, params = filled_cutting(project, how.strategy, how.params)
            chunker(strategy, params, find_embedding=self._embedding.find)
            payload = {"segment_set_id": segment_set_id, "strategy": strategy, "chunker_params": dict(params)}
            job = self._jobs.accept(
                uow,
                JobRequest(
                    job_type=JobType.CHUNK,
                    payload=payload,
                    caller=caller,
                    project_id=segment_set.project_id,
                    estimated_seconds=estimated_seconds(segment_set, strategy, params),
                ),
            )
            uow.commit()
        job = patience.finish(self._jobs, job)
        return self.get(caller, job.result["chunk_set_version_id"])

    def list(self, caller: Caller, project_id: str, wanted: ListRange) -> Listed[ChunkSet]:
        """Return the chunk sets of a project, newest first; raises `ProjectNotFound`."""
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            return read_list(lambda offset, limit: uow.chunk_sets.list(project_id, offset=offset, limit=limit), wanted)

    def get(self, caller: Caller, set_id: str) -> ChunkSet:
        """Return a chunk set; raises `ChunkSetNotFound`."""
        with self._open_unit_of_work() as uow:
            return visible_chunk_set(uow, caller, set_id)

    def as_seen(self, chunk_set: ChunkSet) -> ChunkSet:
        """Return a set that the caller was given with the number of items that it can read."""
        with self._open_unit_of_work(reading=True) as uow:
            return as_seen(uow, chunk_set)

    def items(self, chunk_set: ChunkSet, *, start: int = 0) -> Iterator[Sequence[SetItem]]:
        """Yield the items of a set that the caller was given, by position, in batches of about a megabyte.

        Passages of deleted documents are left out of what was cut from a joined set.
        """
        return item_batches(self._open_unit_of_work, chunk_set, start=start)

    def items_as_json(self, chunk_set: ChunkSet) -> Iterator[str]:
        """Yield what `items` does as JSON objects joined by commas."""
        return json_batches(self._open_unit_of_work, chunk_set)


class ChunkHandler:
    """`JobHandler` of chunk sets: reads, cuts and stores batch by batch in one transaction."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        embedding: SentenceEmbedding,
        keyword_index_jobs: KeywordIndexJobs,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._embedding = embedding
        self._keyword_index_jobs = keyword_index_jobs

    def run(self, context: JobContext) -> None:
        """Cut the segment set that the payload names."""
        job = context.job
        find = self._embedding.checking(context.check).find
        cut = chunker(job.payload["strategy"], job.payload["chunker_params"], find_embedding=find)
        with self._open_unit_of_work() as uow:
            segment_set = uow.segment_sets.get(job.payload["segment_set_id"], namespace_id=job.namespace_id)
            if segment_set is None:
                raise SegmentSetNotFound(detail={"segment_set_version_id": job.payload["segment_set_id"]})
            check_growth(segment_set.total_characters, job.payload["chunker_params"])
            chunk_set = _new_set(job, segment_set, self._clock)
            uow.chunk_sets.add(chunk_set)
            totals = self._write_chunks(uow, context, segment_set, chunk_set, cut)
            context.check()
            uow.projects.get_for_change(chunk_set.project_id, namespace_id=job.namespace_id)
            whole = replace(chunk_set, total_items=totals.items, total_characters=totals.characters)
            uow.chunk_sets.finish(whole)
            indexing = self._keyword_index_jobs.accept(uow, job.namespace_id, whole)
            result = {"chunk_set_version_id": chunk_set.chunk_set_version_id, "total_items": totals.items}
            context.complete(uow, result)
            uow.commit()
        self._keyword_index_jobs.dispatch(indexing)

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing is shown before the set is whole."""

    def _write_chunks(
        self, uow: UnitOfWork, context: JobContext, segment_set: SegmentSet, chunk_set: ChunkSet, cut: Chunker
    ) -> Totals:
        """Write all chunks as one stream, for which the segments are read, batch by batch, as it goes on."""
        totals = Totals()
        hidden = hidden_positions(uow, segment_set)
        # the first batch before the stream begins, which holds the connection; only large sets need another one
        first = uow.segment_sets.items(segment_set.segment_set_version_id, start=0, limit=batch_size(segment_set))
        with contextlib.closing(self._following(segment_set)) as following:
            batches = itertools.chain([first], following)
            shown = _shown(batches, hidden, lambda done: _report(context, done, segment_set, totals))
            uow.chunk_sets.write_items(chunk_set.chunk_set_version_id, totals.counted(chunks_of(shown, cut)))
        return totals

    def _following(self, segment_set: SegmentSet) -> Generator[Sequence[SetItem]]:
        """Yield the segments from the second batch on."""
        size = batch_size(segment_set)
        if segment_set.total_items <= size:
            return
        with self._open_unit_of_work(reading=True) as reading:
            for start in range(size, segment_set.total_items, size):
                yield reading.segment_sets.items(segment_set.segment_set_version_id, start=start, limit=size)


def _shown(
    batches: Iterable[Sequence[SetItem]], hidden: frozenset[int], report: Callable[[int], None]
) -> Iterator[SetItem]:
    """Yield the segments that are not hidden; `report` gets how many have been dealt with, after each batch."""
    done = 0
    for batch in batches:
        yield from (segment for segment in batch if segment.position not in hidden) if hidden else batch
        done += len(batch)
        report(done)


def _report(context: JobContext, done: int, segment_set: SegmentSet, totals: Totals) -> None:
    context.progress("chunk", done / max(segment_set.total_items, 1), f"{totals.items} chunks of {done} segments")


def chunks_of(segments: Iterable[SetItem], cut: Chunker) -> Iterator[SetItem]:
    """Yield the chunks of some segments that are not blank.

    A chunk keeps its segment's place (parent, level, path), kind and metadata, over which the documented keys are laid.
    """
    position = 0
    fresh_ids = new_uuids()
    for segment in segments:
        content = segment.content
        # metadata stay the text that they are stored as: taking them apart would be most of the work
        known = f'{opened_text(segment.metadata)}"source_segment_item_id": "{segment.item_id}", "chunk_index": '
        for chunk_index, span in enumerate(cut(content)):
            start, end = span
            piece = content[start:end]
            if not piece or piece.isspace():
                continue
            is_table = type(span) is TableSpan
            yield SetItem(
                item_id=next(fresh_ids),
                position=position,
                content=piece,
                metadata=JsonText(f'{known}{chunk_index}, "start": {start}, "end": {end}}}'),
                parent_id=segment.parent_id,
                level=segment.level,
                path=segment.path,
                type=SegmentType.TABLE if is_table else segment.type,
                original_format=_MARKDOWN if is_table else segment.original_format,
            )
            position += 1


def visible_chunk_set(uow: UnitOfWork, caller: Caller, set_id: str) -> ChunkSet:
    """Return a chunk set of the caller's namespace; raises `ChunkSetNotFound`."""
    chunk_set = uow.chunk_sets.get(set_id, namespace_id=caller.namespace_id)
    if chunk_set is None:
        raise ChunkSetNotFound(detail={"chunk_set_version_id": set_id})
    return chunk_set


def estimated_seconds(segment_set: SegmentSet, strategy: str, params: JsonObject) -> float:
    """Return about how long cutting takes; what small steps make of a text counts, not the text alone."""
    strategy = strategy.lower()
    # a set of several batches is read by a second connection, for which calls in one process would wait for each other
    if strategy == ChunkStrategy.REGEX or segment_set.total_items > batch_size(segment_set):
        return _SLOW_SECONDS
    if strategy == ChunkStrategy.SEMANTIC:
        is_mock = provider_of(params.get("embedding_provider")) == EmbeddingProvider.MOCK
        pace = segment_set.total_characters / _MOCK_CHARACTERS_PER_SECOND
        return _LEAST_SECONDS + pace if is_mock else _SLOW_SECONDS
    # a strategy without these parameters has their defaults here
    size, overlap = size_and_overlap(params)
    items = segment_set.total_items + segment_set.total_characters / (size - overlap)
    return _LEAST_SECONDS + segment_set.total_characters / _CHARACTERS_PER_SECOND + items / _ITEMS_PER_SECOND


def check_growth(characters: int, params: JsonObject) -> None:
    """Refuse an overlap that would make much more of a text than it is: steps of one character, gigabytes of chunks.

    >>> check_growth(10_000_000, {"chunk_size": 1000, "chunk_overlap": 900})
    """
    # a strategy without these parameters has their defaults here; tokens have more characters, and so fewer steps
    size, overlap = size_and_overlap(params)
    made = characters + max(0, characters - size) // (size - overlap) * size
    if made > max(FREE_CHARACTERS, MOST_TIMES * characters):
        reason = f"would make chunks of about {made:,} characters of a text of {characters:,}; make it smaller"
        raise refuse("chunk_overlap", overlap, reason)


def _new_set(job: Job, segment_set: SegmentSet, clock: Clock) -> ChunkSet:
    return ChunkSet(
        chunk_set_version_id=new_uuid(),
        project_id=segment_set.project_id,
        segment_set_version_id=segment_set.segment_set_version_id,
        parent_chunk_set_version_id=None,
        params={"strategy": job.payload["strategy"], "chunker_params": job.payload["chunker_params"]},
        input_refs={"segment_set_version_id": segment_set.segment_set_version_id},
        artifact_uri=None,
        producer_type=producers.LIBRARY,
        producer_version=producers.VERSION,
        is_active=False,
        is_deleted=False,
        created_at=clock.now(),
        total_items=0,
        total_characters=0,
    )

"""Groups of a run narrow, spread, arrange and count what any strategy finds, as brute force over all hits says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.postgres.cluster_runs import PostgresClusterRuns
from shoald.adapters.rerankers.mock import MockReranker
from shoald.application.access import Caller
from shoald.application.group_membership import GroupMemberships
from shoald.application.namespaces import NewNamespace
from shoald.application.retrieving import RetrievalPage, RetrievedDocument
from shoald.application.waiting import Patience
from shoald.domain.cursors import cursor_of
from shoald.domain.failures import ClusterNotFound, ExecutionNotFound, Failure, InvalidFields
from shoald.domain.records.api_key import ApiKey
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.segment_set import SetItem
from shoald.settings import Settings
from shoald.wiring import Adapters, build_application
from support.placed_run import placed_run
from support.qdrant_owner import owner_process
from support.rag_path import Here, RagPath
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration

TEXTS = [
    f"{fruit} {dish} number {n}. And more of the {fruit}, {n} times {n}."
    for n in range(3)
    for fruit in ("red apple", "yellow banana")
    for dish in ("pie", "tea")
]
QUERY = "apple pie"
PARENTS = {"a": None, "a_1": "a", "a_2": "a", "b": None, "b_1": "b"}
LABELS = {"a": "Apples", "a_1": "Pies", "a_2": "Tea", "b": "Rest", "b_1": "tea"}
NOT_READ = "not read"
PATTERN = {"type": "regex", "pattern": "apple|tea"}


@dataclass
class Mapped:
    """A chunk set of some dozen chunks, builds over it by provider, and the collections of their indexes."""

    path: RagPath
    items: Sequence[SetItem]
    set_id: str
    builds: dict[str, str]
    collection_ids: list[str]

    def run(self, groups: Sequence[str | None], **more: Any) -> ClusterRun:
        """Place the item at position `i` in `groups[i]`."""
        members = {item.item_id: group for item, group in zip(self.items, groups, strict=True) if group != NOT_READ}
        return placed_run(self.path, self.collection_ids, members, PARENTS, LABELS, **more)

    def where(self, strategy: dict[str, Any]) -> dict[str, Any]:
        """Return the target that a strategy searches."""
        provider = strategy.get("on")
        return {} if provider is None else {"target": "index_build", "target_id": self.builds[provider]}

    def page(self, strategy: dict[str, Any], **given: Any) -> RetrievalPage:
        asked = {name: value for name, value in strategy.items() if name != "on"}
        return self.path.by(QUERY, asked, **{"limit": 200, **self.where(strategy), **given})

    def found(self, strategy: dict[str, Any], **given: Any) -> list[int]:
        """Return the positions that are found, best first."""
        return [position(item) for item in self.page(strategy, **given).items]


def position(item: RetrievedDocument) -> int:
    return int(item.metadata["position"])


@pytest.fixture(scope="module")
def mapped(database_maker: DatabaseMaker, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapped]:
    """One for all tests: each places runs of its own."""
    url, data = database_maker.make(), tmp_path_factory.mktemp("data")
    data.chmod(0o700)
    with owner_process(tmp_path_factory.mktemp("owner")) as owner:
        asked = Settings(database_url=url, redis_url=redis_url, data_dir=data, qdrant_url=owner.url)
        adapters = Adapters(asked)
        use_cases = build_application(adapters)
        caller = use_cases.access.caller()
        project = use_cases.projects.create(caller, name="Docs", description=None, settings=None)
        yield _mapped(RagPath(adapters, use_cases, caller, project))
        adapters.close()
    database_maker.drop(url)


def _mapped(path: RagPath) -> Mapped:
    chunk_set = path.chunk(path.texts(*TEXTS), chunk_size=40, chunk_overlap=0)
    providers = ("faiss", "pgvector", "qdrant")
    indexes = {one: path.index(name=one, provider=one) for one in providers}
    builds = {one: path.build(index, chunk_set).build_id for one, index in indexes.items()}
    with path.adapters.open_unit_of_work() as uow:
        items = uow.chunk_sets.items(chunk_set.chunk_set_version_id, start=0, limit=1000)
        collections = [uow.collections.of_index(index.index_id) for index in indexes.values()]
    collection_ids = [one.collection_id for one in collections if one is not None]
    return Mapped(path, items, chunk_set.chunk_set_version_id, builds, collection_ids)


groups_of_items = st.lists(st.sampled_from(["a", "a_1", "a_2", "b_1", None, NOT_READ]), min_size=24, max_size=24)
questions = st.fixed_dictionaries(
    {},
    optional={
        "group_ids": st.lists(st.sampled_from(["a", "a_1", "b", "-1"]), min_size=1, max_size=2),
        "labels": st.lists(st.sampled_from(["TEA", "Pies", "noise"]), min_size=1, max_size=2),
        "paths": st.lists(st.sampled_from([["a"], ["Apples", "Tea"], ["b", "b_1"]]), min_size=1, max_size=2),
        "max_per_group": st.integers(1, 3),
    },
)
FILTERS: list[dict[str, Any]] = [{}, {"field": "position", "operator": "lt", "value": 15}]


def allowed_by(asked: dict[str, Any], groups: Sequence[str | None]) -> set[int]:
    """Return the positions that may be found, from what the fields mean."""
    means: dict[str, set[str | None]] = {"TEA": {"a_2", "b_1"}, "Pies": {"a_1"}, "noise": {None}}
    below: dict[str, set[str | None]] = {"a": {"a", "a_1", "a_2"}, "b": {"b", "b_1"}, "-1": {None}}
    if not {"group_ids", "labels", "paths"} & asked.keys():
        return set(range(len(groups)))
    wanted: set[str | None] = set()
    for one in asked.get("group_ids", ()):
        wanted |= below.get(one, {one})
    for one in asked.get("labels", ()):
        wanted |= means[one]
    for one in asked.get("paths", ()):
        wanted |= below["a"] if len(one) == 1 else means["TEA"] & (below["a"] if one[0] == "Apples" else below["b"])
    return {at for at, group in enumerate(groups) if group in wanted}


def spread(ranking: Sequence[int], groups: Sequence[str | None], most: int | None) -> list[int]:
    kept: list[int] = []
    for at in ranking:
        of_group = [one for one in kept if groups[one] == groups[at]]
        if most is None or groups[at] in {None, NOT_READ} or len(of_group) < most:
            kept.append(at)
    return kept


def fused(rankings: Sequence[Sequence[int]]) -> list[int]:
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, at in enumerate(ranking, start=1):
            scores[at] = scores.get(at, 0.0) + 1 / len(rankings) / (60 + rank)
    return sorted(scores, key=lambda at: (-round(scores[at], 12), at))


@settings(max_examples=8, deadline=None)
@given(groups_of_items, questions, st.sampled_from(FILTERS))
def test_every_strategy_is_as_brute_force_says(
    mapped: Mapped, groups: list[str | None], asked: dict[str, Any], chosen: dict[str, Any]
) -> None:
    _check_every_strategy(mapped, groups, asked, chosen)


@pytest.mark.nightly
@settings(max_examples=100, deadline=None)
@given(groups_of_items, questions, st.sampled_from(FILTERS))
def test_every_strategy_is_as_brute_force_says_of_many_maps(
    mapped: Mapped, groups: list[str | None], asked: dict[str, Any], chosen: dict[str, Any]
) -> None:
    _check_every_strategy(mapped, groups, asked, chosen)


def _check_every_strategy(
    mapped: Mapped, groups: list[str | None], asked: dict[str, Any], chosen: dict[str, Any]
) -> None:
    groups = groups[: len(mapped.items)]
    run = mapped.run(groups)
    may = allowed_by(asked, groups) & (set(range(15)) if chosen else set(range(len(groups))))
    most = asked.get("max_per_group")
    given_: dict[str, Any] = {"map": {"run_id": run.run_id, **asked}, "filter": chosen}

    def ranking(strategy: dict[str, Any]) -> list[int]:
        return [at for at in mapped.found(strategy) if at in may]

    for kind in ({"type": "bm25"}, *({"type": "vector", "on": one} for one in mapped.builds)):
        every = spread(ranking({**kind, "k": 100}), groups, most)
        for k in (3, 100):
            assert mapped.found({**kind, "k": k}, **given_) == every[:k], (kind, k)
    for all_at_once in (PATTERN, {"type": "fuzzy", "threshold": 60}):
        assert mapped.found(all_at_once, **given_) == spread(ranking(all_at_once), groups, most)
    legs = [{"type": "vector", "k": 3}, {"type": "bm25", "k": 2}, PATTERN]
    parts = [
        ranking({"type": "vector", "k": 100, "on": "faiss"})[:3],
        ranking({"type": "bm25", "k": 100})[:2],
        ranking(PATTERN),
    ]
    ensemble = {"type": "ensemble", "sources": legs, "on": "faiss"}
    assert mapped.found(ensemble, **given_) == spread(fused(parts), groups, most)
    rerank = {"type": "rerank", "base": {"type": "bm25", "k": 100}, "model_name": "mock"}
    every = spread(ranking({**rerank, "top_n": 100}), groups, most)
    assert mapped.found({**rerank, "top_n": 4}, **given_) == every[:4]
    mmr = mapped.found({"type": "vector", "k": 100, "search_type": "mmr", "on": "faiss"}, **given_)
    assert len(mmr) == len(set(mmr))
    assert set(mmr) <= may
    assert most is not None or set(mmr) == may


@settings(max_examples=8, deadline=None)
@given(groups_of_items, questions)
def test_segments_stand_where_the_chunks_do_that_found_them(
    mapped: Mapped, groups: list[str | None], asked: dict[str, Any]
) -> None:
    groups = groups[: len(mapped.items)]
    run, may, most = mapped.run(groups), allowed_by(asked, groups), asked.get("max_per_group")
    dual = {"type": "dual_storage", "vector_search": {"k": 100}, "on": "qdrant"}
    chunks = [at for at in mapped.found({**dual, "id_key": "item_id"}) if at in may]
    ways: dict[str, int] = {}
    for at in chunks:
        ways.setdefault(str(mapped.items[at].metadata["source_segment_item_id"]), at)
    page = mapped.page(dual, map={"run_id": run.run_id, **asked})
    expected = spread(list(ways.values()), groups, most)
    found = {str(item.metadata["item_id"]): item.group for item in page.items}
    assert set(found) == {one for one, at in ways.items() if at in expected}
    for segment_id, group in found.items():
        assert group is not None
        known = groups[ways[segment_id]]
        assert group.group_id == (None if known == NOT_READ else known)
    of_chunks = {"type": "dual_storage", "vector_search": {"k": 2}, "id_key": "item_id", "on": "qdrant"}
    assert mapped.found(of_chunks, map={"run_id": run.run_id, **asked}) == spread(chunks, groups, most)[:2]


GROUPS: list[str | None] = ["a_1", "b_1", None, "a_2", NOT_READ, "a_1", "b_1", "a", None, "a_2", "b_1", "a_1"]


def test_pages_go_through_groups_and_never_overlap(mapped: Mapped) -> None:
    groups = (GROUPS * 3)[: len(mapped.items)]
    run = mapped.run(groups)
    asked = {"run_id": run.run_id, "grouped": True, "max_per_group": 4, "facets": True}
    for strategy in ({"type": "bm25", "k": 100}, PATTERN, {"type": "vector", "k": 30, "on": "faiss"}):
        ranked = mapped.found(strategy, map={"run_id": run.run_id, "max_per_group": 4})
        order = list(dict.fromkeys(groups[at] for at in ranked))
        expected = sorted(ranked, key=lambda at: (order.index(groups[at]), ranked.index(at)))
        pages: list[RetrievalPage] = []
        while not pages or pages[-1].next_offset is not None:
            cursor = cursor_of(pages[-1].next_offset or 0) if pages else None
            pages.append(mapped.page(strategy, map=asked, limit=5, cursor=cursor))
        assert [position(item) for page in pages for item in page.items] == expected
        assert {page.total for page in pages} == {len(expected)}
        for page in pages:
            _check_groups_of(page, ranked, groups)
        counted = _counted(pages[0])
        every = mapped.found(strategy)
        assert counted.get(("a", "in_group"), 0) == sum(str(groups[at]).startswith("a") for at in every)
        assert counted.get((None, "in_no_group"), 0) == sum(groups[at] is None for at in every)
        assert counted.get((None, "not_in_run"), 0) == sum(groups[at] == NOT_READ for at in every)


@pytest.mark.parametrize("base", [{"type": "vector", "k": 5}, {"type": "vector", "k": 5, "search_type": "mmr"}])
@pytest.mark.parametrize("around", [None, "ensemble", "rerank"])
def test_counting_groups_asks_no_model_again(
    mapped: Mapped, monkeypatch: pytest.MonkeyPatch, base: dict[str, Any], around: str | None
) -> None:
    groups = (GROUPS * 3)[: len(mapped.items)]
    wrapped: dict[str | None, dict[str, Any]] = {
        None: base,
        "ensemble": {"type": "ensemble", "sources": [base]},
        "rerank": {"type": "rerank", "base": base, "model_name": "mock", "top_n": 3},
    }
    strategy = {**wrapped[around], "on": "faiss"}
    every, run = mapped.found(strategy), mapped.run(groups)
    asked: list[str] = []
    for model, name in ((MockEmbedder, "embed_query"), (MockReranker, "scores")):
        monkeypatch.setattr(model, name, _noted(getattr(model, name), asked))
    page = mapped.page(strategy, map={"run_id": run.run_id, "facets": True, "max_per_group": 1}, limit=2)
    assert asked == (["embed_query", "scores"] if around == "rerank" else ["embed_query"])
    assert _counted(page).get(("a", "in_group"), 0) == sum(str(groups[at]).startswith("a") for at in every)
    again = mapped.page(strategy, map={"run_id": run.run_id, "facets": True, "max_per_group": 1}, limit=2)
    assert (_counted(again), len(asked)) == (_counted(page), 1 + (around == "rerank"))


def _noted(method: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    def noted(*given: Any, **named: Any) -> Any:
        asked.append(method.__name__)
        return method(*given, **named)

    return noted


def _check_groups_of(page: RetrievalPage, ranked: list[int], groups: Sequence[str | None]) -> None:
    assert page.map is not None
    shown = [one for one in page.map.groups for _ in range(one.count)]
    assert [one.group for one in shown] == [item.group for item in page.items]
    for one in page.map.groups:
        first = page.items[one.first]
        assert one.total == sum(groups[at] == groups[position(first)] for at in ranked)


def _counted(page: RetrievalPage) -> dict[tuple[str | None, str], int]:
    assert page.map is not None
    return {(one.group.group_id, str(one.group.membership)): one.count for one in page.map.facets}


def test_a_stream_is_its_pages_and_counts_once(mapped: Mapped) -> None:
    groups = (GROUPS * 3)[: len(mapped.items)]
    run = mapped.run(groups)
    for more in ({}, {"grouped": True, "facets": True}, {"max_per_group": 1, "labels": ["tea"]}):
        asked = {"run_id": run.run_id, **more}
        given_ = {"query": QUERY, "strategy": PATTERN, "limit": 3, "map": asked}
        cases, project_id = mapped.path.use_cases.retrieving, mapped.path.project.project_id
        pages = list(cases.pages(mapped.path.caller, project_id, given_, Patience()))
        streamed = [position(item) for page in pages for item in page.items]
        assert streamed == mapped.found(PATTERN, map=asked)
        assert [bool(_counted(page)) for page in pages] == ["facets" in more, *([False] * (len(pages) - 1))]


def test_names_that_people_give_count_at_once(mapped: Mapped) -> None:
    run = mapped.run((GROUPS * 3)[: len(mapped.items)])
    before = mapped.found(PATTERN, map={"run_id": run.run_id, "labels": ["pies"]})
    with mapped.path.adapters.open_unit_of_work() as uow:
        uow.cluster_runs.relabel(run.run_id, {"a_1": "Baked things"}, [])
        uow.commit()
    page = mapped.page(PATTERN, map={"run_id": run.run_id, "labels": ["BAKED THINGS"]})
    assert [position(item) for item in page.items] == before
    assert {item.group and item.group.label for item in page.items} == {"Baked things"}
    with pytest.raises(InvalidFields, match=r"map\.labels\.0"):
        mapped.page(PATTERN, map={"run_id": run.run_id, "labels": ["pies"]})


def test_a_run_is_read_anew_when_it_changed_and_only_then(mapped: Mapped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = mapped.run((GROUPS * 3)[: len(mapped.items)])
    read, whole = PostgresClusterRuns.get, []

    def noted(self: PostgresClusterRuns, run_id: str) -> ClusterRun | None:
        whole.append(run_id)
        return read(self, run_id)

    monkeypatch.setattr(PostgresClusterRuns, "get", noted)
    for named in ({"run_id": run.run_id}, {"cluster_id": run.cluster_id}, {"run_id": run.run_id}):
        mapped.page(PATTERN, map=named)
    assert whole == [run.run_id]
    with mapped.path.adapters.open_unit_of_work() as uow:
        uow.cluster_runs.relabel(run.run_id, {"a_2": "Hot drinks"}, [])
        uow.commit()
    page = mapped.page(PATTERN, map={"cluster_id": run.cluster_id, "labels": ["hot drinks"]})
    assert {item.group and item.group.group_id for item in page.items} == {"a_2"}
    assert whole == [run.run_id] * 2


def test_a_repeat_asks_the_same_map(mapped: Mapped) -> None:
    run = mapped.run((GROUPS * 3)[: len(mapped.items)])
    asked = {"cluster_id": run.cluster_id, "paths": [["Apples"]], "max_per_group": 2, "grouped": True, "facets": True}
    page = mapped.page({"type": "bm25", "k": 100}, map=asked, persist=True)
    runs, caller = mapped.path.use_cases.retrieval_runs, mapped.path.caller
    stored = runs.get(caller, str(page.run_id))
    assert stored.params["map"] == {"run_id": None, "group_ids": [], "labels": [], **asked}
    assert stored.results["map"]["run_id"] == run.run_id
    compared = runs.repeat(caller, stored.run_id, Here())
    assert compared.after.params == stored.params
    assert compared.after.results == stored.results
    assert [one["group"]["group_id"] for one in stored.results["items"]] == [
        item.group and item.group.group_id for item in page.items
    ]


def test_a_membership_is_read_once(mapped: Mapped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = mapped.run((GROUPS * 3)[: len(mapped.items)])
    read, made = GroupMemberships._numbers, []

    def noted(self: GroupMemberships, *asked: Any) -> Any:
        made.append(read(self, *asked))
        return made[-1]

    monkeypatch.setattr(GroupMemberships, "_numbers", noted)
    for strategy in (PATTERN, {"type": "bm25"}, {"type": "ensemble"}):
        mapped.page(strategy, map={"run_id": run.run_id, "facets": True})
    assert [(numbers.dtype.str, len(numbers)) for numbers in made] == [("<i4", len(mapped.items))]


def test_a_map_that_does_not_fit_is_refused_by_its_field(mapped: Mapped) -> None:
    run = mapped.run((GROUPS * 3)[: len(mapped.items)])
    other = mapped.path.index(name="other")
    mapped.path.build(other, mapped.path.chunk(mapped.path.texts("one", "two")))
    with mapped.path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(other.index_id)
    assert collection is not None
    elsewhere = placed_run(mapped.path, [collection.collection_id], {"x": "a"})
    pending = mapped.path.use_cases.executions.start(mapped.path.caller, run.cluster_id, {}).payload["run_id"]
    refused: list[tuple[dict[str, Any], type[Failure], str]] = [
        ({"run_id": "run_nope"}, ExecutionNotFound, "run_nope"),
        ({"cluster_id": "nope"}, ClusterNotFound, "nope"),
        ({"run_id": elsewhere.run_id}, InvalidFields, r"map\.run_id.*did not read"),
        ({"cluster_id": elsewhere.cluster_id}, InvalidFields, r"map\.cluster_id.*did not read"),
        ({"run_id": pending}, InvalidFields, r"map\.run_id.*pending"),
        ({"run_id": run.run_id, "group_ids": ["a", "z"]}, InvalidFields, r"map\.group_ids\.1"),
        ({"run_id": run.run_id, "labels": ["z"]}, InvalidFields, r"map\.labels\.0"),
        ({"run_id": run.run_id, "paths": [["Tea"]]}, InvalidFields, r"map\.paths\.0"),
        ({"run_id": run.run_id, "paths": [[]]}, InvalidFields, r"map\.paths\.0"),
    ]
    for asked, kind, told in refused:
        with pytest.raises(kind, match=told):
            mapped.path.by(QUERY, PATTERN, target_id=mapped.set_id, map=asked)
    with pytest.raises(InvalidFields, match=r"map\.run_id.*did not read"):
        mapped.path.by(QUERY, PATTERN, target="segment_set", map={"run_id": run.run_id})


def test_the_runs_of_others_are_not_known(mapped: Mapped) -> None:
    path = mapped.path
    made = path.use_cases.namespaces.create(NewNamespace(namespace_name="others"))
    other = Caller(namespace_id=made.namespace_id, namespace_name="others")
    project = path.use_cases.projects.create(other, name="Docs", description=None, settings=None)
    theirs = RagPath(path.adapters, path.use_cases, other, project)
    index = theirs.index()
    theirs.build(index, theirs.chunk(theirs.texts("one")))
    with path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(index.index_id)
    assert collection is not None
    run = placed_run(theirs, [collection.collection_id], {"x": "a"})
    with pytest.raises(ExecutionNotFound):
        mapped.page(PATTERN, map={"run_id": run.run_id})
    with pytest.raises(ClusterNotFound):
        mapped.page(PATTERN, map={"cluster_id": run.cluster_id})


def test_a_key_of_projects_knows_no_groups_of_other_texts(mapped: Mapped) -> None:
    path = mapped.path
    project_id = path.project.project_id
    elsewhere = path.use_cases.projects.create(path.caller, name="Else", description=None, settings=None)
    other = RagPath(path.adapters, path.use_cases, path.caller, elsewhere)
    index = other.index()
    other.build(index, other.chunk(other.texts("secret")))
    with path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(index.index_id)
    assert collection is not None
    own = mapped.run((GROUPS * 3)[: len(mapped.items)])
    mixed = placed_run(path, [*mapped.collection_ids, collection.collection_id], {"x": "a"})
    key = ApiKey(
        key_id="k",
        name="of one project",
        secret_hash=b"",
        namespace_ids=(path.caller.namespace_id,),
        project_ids=(project_id,),
        scopes=frozenset(),
        created_at=path.adapters.clock.now(),
    )
    bound = replace(path, caller=replace(path.caller, key=key))
    target = {"target": "chunk_set", "target_id": mapped.set_id}
    assert bound.by(QUERY, PATTERN, map={"run_id": own.run_id}, **target).items
    assert path.by(QUERY, PATTERN, map={"run_id": mixed.run_id}, **target).items
    with pytest.raises(ExecutionNotFound):
        bound.by(QUERY, PATTERN, map={"run_id": mixed.run_id}, **target)
    with pytest.raises(ClusterNotFound):
        bound.by(QUERY, PATTERN, map={"cluster_id": mixed.cluster_id}, **target)


def test_what_came_after_a_run_is_found_and_says_so(mapped: Mapped) -> None:
    path = mapped.path
    project = path.use_cases.projects.create(path.caller, name="Later", description=None, settings=None)
    later = RagPath(path.adapters, path.use_cases, path.caller, project)
    later.texts("red apple", "green apple")
    index = later.index(index_type="segment_vectors")
    joined = later.use_cases.joining.create(later.caller, project.project_id, [], Here())
    later.build(index, later.chunk(joined))
    with path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(index.index_id)
        before = uow.segment_sets.items(joined.segment_set_version_id, start=0, limit=10)
    assert collection is not None
    run = placed_run(later, [collection.collection_id], {item.item_id: "a" for item in before})
    later.texts("yellow apple")
    grown = later.use_cases.joining.create(later.caller, project.project_id, [], Here())
    build = later.build(index, later.chunk(grown))
    for strategy, where in (
        ({"type": "bm25"}, {"target": "segment_set", "target_id": grown.segment_set_version_id}),
        ({"type": "vector"}, {"target": "index_build", "target_id": build.build_id}),
    ):
        asked = {"run_id": run.run_id, "max_per_group": 2}
        page = later.by("apple", strategy, map=asked, **where)
        shown = {
            item.page_content: item.group and (item.group.group_id, str(item.group.membership)) for item in page.items
        }
        assert shown == {
            "red apple": ("a", "in_group"),
            "green apple": ("a", "in_group"),
            "yellow apple": (None, "not_in_run"),
        }
        narrowed = later.by("apple", strategy, map={**asked, "group_ids": ["a"]}, **where)
        assert {item.page_content for item in narrowed.items} == {"red apple", "green apple"}
    with pytest.raises(InvalidFields, match=r"map\.run_id.*did not read"):
        later.by("apple", {"type": "bm25"}, map={"run_id": run.run_id}, target="chunk_set")


def test_a_stored_page_counts_what_it_still_shows(mapped: Mapped) -> None:
    path = mapped.path
    project = path.use_cases.projects.create(path.caller, name="Stored", description=None, settings=None)
    stored = RagPath(path.adapters, path.use_cases, path.caller, project)
    stored.texts("apple one")
    gone = stored.texts("apple two", "apple three", "apple four")
    index = stored.index(index_type="segment_vectors")
    joined = stored.use_cases.joining.create(stored.caller, project.project_id, [], Here())
    stored.build(index, stored.chunk(joined))
    with path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(index.index_id)
        items = uow.segment_sets.items(joined.segment_set_version_id, start=0, limit=10)
        version = uow.documents.of_versions([str(gone.document_version_id)])[str(gone.document_version_id)]
    assert collection is not None
    of_text = {"apple one": "b", "apple two": "a", "apple three": "b", "apple four": "b"}
    run = placed_run(stored, [collection.collection_id], {item.item_id: of_text[item.content] for item in items})
    asked = {"run_id": run.run_id, "grouped": True}
    words = {"type": "regex", "pattern": "apple"}
    page = stored.by("apple", words, map=asked, persist=True, target="segment_set")
    runs = path.use_cases.retrieval_runs
    before = runs.get(path.caller, str(page.run_id)).results["map"]["groups"]
    assert [(one["group"]["group_id"], one["first"], one["count"]) for one in before] == [("b", 0, 3), ("a", 3, 1)]
    path.use_cases.lineage.delete(path.caller, version.document_id)
    after = runs.get(path.caller, str(page.run_id)).results["map"]["groups"]
    assert [(one["group"]["group_id"], one["first"], one["count"]) for one in after] == [("b", 0, 1)]

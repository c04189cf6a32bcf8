"""Hits by group against what each function is, written out plainly."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.domain.retrieval.grouped_hits import runs_on, spread, spread_to, together
from shoald.domain.retrieval.hits import Hits, Positions
from shoald.domain.retrieval.run_groups import ABSENT, NOISE, Membership, RunGroups

numbers_of_items = st.lists(st.integers(ABSENT, 4), min_size=1, max_size=40)


def arrayed(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def plainly_spread(ranking: list[int], numbers: list[int], most: int) -> list[int]:
    seen: dict[int, int] = {}
    kept = []
    for position in ranking:
        number = numbers[position]
        seen[number] = seen.get(number, 0) + 1
        if number < 0 or seen[number] <= most:
            kept.append(position)
    return kept


@settings(deadline=None)
@given(numbers_of_items, st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_group_keeps_its_best(numbers: list[int], most: int, random: object) -> None:
    ranking = list(range(len(numbers)))
    random.shuffle(ranking)  # type: ignore[attr-defined]
    hits = Hits(np.array(ranking), -np.arange(len(ranking), dtype=float))
    assert spread(hits, arrayed(numbers), most=most).positions.tolist() == plainly_spread(ranking, numbers, most)


@settings(deadline=None)
@given(
    numbers_of_items,
    st.integers(1, 4),
    st.integers(1, 12),
    st.one_of(st.none(), st.sets(st.integers(0, 39))),
    st.randoms(use_true_random=False),
)
def test_searching_on_finds_what_searching_for_everything_finds(
    numbers: list[int], most: int, k: int, chosen: set[int] | None, random: object
) -> None:
    ranking = list(range(len(numbers)))
    random.shuffle(ranking)  # type: ignore[attr-defined]
    may = None if chosen is None else np.array(sorted(at for at in chosen if at < len(numbers)), np.int64)
    asked: list[int] = []

    def find(count: int, allowed: Positions | None) -> Hits:
        asked.append(count)
        found = [at for at in ranking if allowed is None or at in allowed.tolist()][:count]
        return Hits(np.array(found, np.int64), np.zeros(len(found)))

    hits, unspread = spread_to(find, arrayed(numbers), may, most=most, k=k)
    every = [at for at in ranking if may is None or at in may.tolist()]
    assert hits.positions.tolist() == plainly_spread(every, numbers, most)[:k]
    assert unspread.positions.tolist() == every[:k]
    assert len(asked) <= k


@settings(deadline=None)
@given(numbers_of_items, st.integers(0, 45), st.integers(1, 10))
def test_groups_stand_together_and_pages_say_so(numbers: list[int], start: int, size: int) -> None:
    rows = together(arrayed(numbers)).tolist()
    order = list(dict.fromkeys(numbers))
    assert rows == sorted(range(len(numbers)), key=lambda row: (order.index(numbers[row]), row))
    arranged = [numbers[row] for row in rows]
    runs = runs_on(arrayed(arranged), start, start + size)
    page = arranged[start : start + size]
    assert [run.number for run in runs] == list(dict.fromkeys(page))
    for run in runs:
        assert page[run.first : run.first + run.count] == [run.number] * page.count(run.number)
        assert run.total == numbers.count(run.number)


@st.composite
def trees(draw: st.DrawFn) -> RunGroups:
    parents = [draw(st.integers(-1, at - 1)) for at in range(draw(st.integers(1, 8)))]
    names = [draw(st.sampled_from(["Cats", "cats", "Dogs", None])) for _ in parents]
    ids = tuple(f"g{at}" for at in range(len(parents)))
    return RunGroups(ids=ids, labels=tuple(names), parents=tuple(parents), noise_label="noise")


@settings(deadline=None)
@given(trees(), st.data())
def test_what_lies_below_a_group_is_what_has_it_on_its_way_up(groups: RunGroups, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(ABSENT, len(groups) - 1), max_size=30))
    ways = [groups.described(at).path for at in range(len(groups))]
    for at, group_id in enumerate(groups.ids):
        assert groups.with_parts({at}) == {one for one, way in enumerate(ways) if group_id in way}
        assert at in groups.along(ways[at])
        assert groups.described(at).group_id == ways[at][-1]
    counts = groups.counts(arrayed(numbers))
    expected = {at: sum(n >= 0 and groups.ids[at] in ways[n] for n in numbers) for at in range(len(groups))}
    expected |= {NOISE: numbers.count(NOISE), ABSENT: numbers.count(ABSENT)}
    assert counts == {at: count for at, count in expected.items() if count}
    ranked = groups.ranked(counts)
    assert [at for at in ranked if at < 0] == [at for at in (NOISE, ABSENT) if at in counts]
    shown = [counts[at] for at in ranked if at >= 0]
    assert shown == sorted(shown, reverse=True)
    assert groups.named("CATS") == {at for at, one in enumerate(groups.labels) if one in {"Cats", "cats"}}


def test_items_without_a_group_say_why() -> None:
    groups = RunGroups(ids=("a",), labels=("A",), parents=(-1,), noise_label="others")
    assert groups.named("Others") == {NOISE}
    noise, absent = groups.described(NOISE), groups.described(ABSENT)
    assert (noise.membership, noise.group_id, noise.label) == (Membership.IN_NO_GROUP, None, "others")
    assert (absent.membership, absent.group_id, absent.label) == (Membership.NOT_IN_RUN, None, None)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), max_size=20), st.booleans())
def test_what_hits_were_found_by_comes_back_from_their_bytes(found_by: list[int], has_base: bool) -> None:  # noqa: FBT001
    scores = np.arange(len(found_by), dtype=float)
    hits = Hits(np.arange(len(found_by)), scores, scores / 2 if has_base else None, np.array(found_by, np.int64))
    again = Hits.from_bytes(hits.to_bytes())
    assert again.found_by is not None
    assert again.found_by.tolist() == again.searched.tolist() == found_by
    assert (again.base_scores is None) != has_base
    assert again.scores.tolist() == scores.tolist()

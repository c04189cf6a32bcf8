"""How questions are asked: within time and money, largest group first, and no longer than it makes sense."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from shoald.application.labelling import FAILURES_IN_A_ROW, Labelling, Question, Terms
from shoald.application.labelling_attempts import TRIES, Asking, Outcome
from shoald.application.ports.label_ledger import BudgetReport, CallEstimate, KnownAnswer, Spend
from shoald.application.ports.language_model import LONGEST_ANSWER, ModelAnswer, ModelFailure, NoAnswerBecause
from shoald.domain.labelling.label_plan import label_plan
from shoald.domain.labelling.prompt_writing import ShownDocument, write_prompt
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart

GOOD = '{"label": "Files"}'
ONE = CallEstimate(input_tokens=10, output_tokens=5, most_input_tokens=10, most_output_tokens=5)


@dataclass
class Model:
    """Says what `say` says of a group's text; remembers what it was asked."""

    say: Callable[[str, int], str]
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    takes: frozenset[PartKind] = frozenset()
    fetches: frozenset[PartKind] = frozenset()

    def ask(self, prompt: LabelPrompt, *, timeout_seconds: float) -> ModelAnswer:
        assert timeout_seconds > 0
        text = prompt.parts[0].text.split("\n")[-1]
        with self.lock:
            self.asked.append(text)
            times = self.asked.count(text)
        return ModelAnswer(text=self.say(text, times), model="m", input_tokens=9, output_tokens=4)


@dataclass
class Budget:
    """Allows so many calls; knows what was kept."""

    calls: int = 1_000
    kept: dict[str, KnownAnswer] = field(default_factory=dict)
    booked: list[tuple[int | None, int | None]] = field(default_factory=list)
    allowed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, estimates: Mapping[str, CallEstimate]) -> Spend:
        return Spend(calls=len(estimates))

    def known(self, content_hash: str) -> KnownAnswer | None:
        return self.kept.get(content_hash)

    def keep(self, content_hash: str, answer: KnownAnswer) -> None:
        self.kept[content_hash] = answer

    def allow(self, estimate: CallEstimate) -> str | None:
        assert estimate is ONE
        with self.lock:
            self.allowed += 1
            return None if self.allowed <= self.calls else "the budget of the run allows no further call"

    def book(self, estimate: CallEstimate, *, input_tokens: int | None, output_tokens: int | None) -> None:
        assert estimate is ONE
        self.booked.append((input_tokens, output_tokens))

    def report(self) -> BudgetReport:
        return BudgetReport(estimated=Spend(), spent=Spend())


def outcomes(model: Model, budget: Budget, sizes: Mapping[str, int], **terms: float) -> dict[str, Outcome]:
    plan = label_plan({"provider": "openai", "parameters": {"model": "m"}})
    questions = [
        Question(cluster_id=one, prompt=write_prompt(plan, documents=[ShownDocument(text=one)], fence="f"), size=size)
        for one, size in sizes.items()
    ]
    patience = Terms(run_seconds=terms.get("run_seconds", 60.0), call_seconds=5.0, at_once=int(terms.get("at_once", 1)))
    labelling = Labelling(
        asking=Asking(model=model, call_seconds=5.0, first_pause=0.001),
        budget=budget,
        estimate=lambda _: ONE,
        terms=patience,
    )
    return labelling.answers(questions, lambda _: None)


def failing(kind: NoAnswerBecause, retry_after: float | None = None) -> Callable[[str, int], str]:
    def say(text: str, times: int) -> str:
        del text, times
        raise ModelFailure(kind, f"it was {kind}", retry_after_seconds=retry_after)

    return say


SIZES = {f"g{at}": at for at in range(10)}


def test_the_largest_groups_are_asked_for_first_and_the_budget_ends_it() -> None:
    model, budget = Model(lambda *_: GOOD), Budget(calls=4)
    found = outcomes(model, budget, SIZES)
    assert model.asked == ["g9", "g8", "g7", "g6"]
    named = {one for one, outcome in found.items() if outcome.answer is not None}
    assert named == {"g9", "g8", "g7", "g6"}
    assert {outcome.reason for outcome in found.values() if outcome.answer is None} == {
        "the budget of the run allows no further call"
    }


def test_a_bad_answer_is_asked_for_again_and_every_call_is_booked() -> None:
    model, budget = Model(lambda _, times: GOOD if times == 2 else "hm"), Budget()
    found = outcomes(model, budget, {"a": 1})
    assert found["a"].answer is not None
    assert [one.outcome for one in found["a"].attempts] == ["bad_answer", "answered"]
    assert budget.booked == [(9, 4)] * 2
    assert len(budget.kept) == 1
    again = outcomes(model, budget, {"a": 1})
    assert again["a"].cached == GOOD
    assert len(model.asked) == 2, "what is known is not asked for"


def test_a_bad_answer_is_never_kept() -> None:
    model, budget = Model(lambda *_: "hm"), Budget()
    found = outcomes(model, budget, {"a": 1})
    assert found["a"].reason == f"the answer was no JSON ({TRIES} attempts)"
    assert budget.kept == {}


def test_an_answer_that_is_too_long_is_said_to_be_so() -> None:
    found = outcomes(Model(lambda *_: '{"label": "' + "x" * LONGEST_ANSWER), Budget(), {"a": 1})
    assert found["a"].reason == f"the answer had more than {LONGEST_ANSWER} characters ({TRIES} attempts)"
    assert {one.message for one in found["a"].attempts} == {f"the answer had more than {LONGEST_ANSWER} characters"}


def test_a_refused_key_ends_the_asking_at_once() -> None:
    model = Model(failing(NoAnswerBecause.KEY_REFUSED))
    budget = Budget()
    found = outcomes(model, budget, SIZES)
    assert len(model.asked) == 1
    assert {outcome.reason for outcome in found.values()} == {"it was key_refused"}
    assert budget.booked == [(0, 0)], "it cost nothing"


def test_a_model_that_does_not_answer_is_left_alone_after_a_while() -> None:
    model = Model(failing(NoAnswerBecause.UNREACHABLE))
    budget = Budget()
    found = outcomes(model, budget, SIZES)
    assert len(model.asked) == FAILURES_IN_A_ROW * TRIES
    assert len(found) == len(SIZES)
    assert sum("not asked" in (outcome.reason or "") for outcome in found.values()) == len(SIZES) - FAILURES_IN_A_ROW
    assert set(budget.booked) == {(None, None)}, "what may have cost something is charged as estimated"


def test_one_answer_in_between_lets_the_asking_go_on() -> None:
    def say(text: str, times: int) -> str:
        return GOOD if text in {"g6", "g2"} else failing(NoAnswerBecause.UNREACHABLE)(text, times)

    model = Model(say)
    found = outcomes(model, Budget(), SIZES)
    assert {one for one, outcome in found.items() if outcome.answer is not None} == {"g6", "g2"}
    assert set(model.asked) == set(SIZES)


@pytest.mark.parametrize("retry_after", [61.0, 3600.0])
def test_nobody_waits_longer_than_there_is_time(retry_after: float) -> None:
    model = Model(failing(NoAnswerBecause.RATE_LIMITED, retry_after))
    found = outcomes(model, Budget(), {"a": 1})
    assert len(model.asked) == 1
    assert found["a"].answer is None


def test_no_time_means_no_question() -> None:
    model = Model(lambda *_: GOOD)
    found = outcomes(model, Budget(), SIZES, run_seconds=0.01)
    assert model.asked == []
    assert {outcome.reason for outcome in found.values()} == {"the time for names was over"}


def test_whoever_stops_the_run_stops_the_asking() -> None:
    model = Model(lambda *_: GOOD)
    plan = label_plan({"provider": "openai", "parameters": {"model": "m"}})
    prompt = write_prompt(plan, documents=[ShownDocument(text="a")], fence="f")
    questions = [Question(cluster_id=f"g{at}", prompt=prompt, size=1) for at in range(500)]
    labelling = Labelling(
        asking=Asking(model=model, call_seconds=5.0), budget=Budget(), estimate=lambda _: ONE, terms=Terms(at_once=2)
    )

    def step(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        labelling.answers(questions, step)
    assert len(model.asked) < 20


PICTURE = PromptPart(kind=PartKind.IMAGE, url="https://example.org/gone.png")


@pytest.mark.parametrize(
    ("kind", "media", "asked"),
    [
        (NoAnswerBecause.REQUEST_REFUSED, (PICTURE,), len(SIZES)),
        (NoAnswerBecause.TOO_LONG, (), len(SIZES)),
        (NoAnswerBecause.REQUEST_REFUSED, (), FAILURES_IN_A_ROW),
    ],
)
def test_what_is_wrong_with_one_question_does_not_keep_others_from_being_asked(
    kind: NoAnswerBecause, media: tuple[PromptPart, ...], asked: int
) -> None:
    """A picture that is gone is the matter of its own group."""
    model = Model(failing(kind))
    plan = label_plan({"provider": "openai", "parameters": {"model": "m"}})
    prompt = write_prompt(plan, documents=[ShownDocument(text="a", media=media)], fence="f")
    labelling = Labelling(
        asking=Asking(model=model, call_seconds=5.0),
        budget=Budget(),
        estimate=lambda _: ONE,
        terms=Terms(at_once=1),
    )
    labelling.answers([Question(cluster_id=one, prompt=prompt, size=1) for one in SIZES], lambda _: None)
    assert len(model.asked) == asked

"""What names may cost: booked before, settled after, never past a cap, and nothing twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application.label_budget import BudgetRules, LabelBudgets, RunBudget, report_as_json
from shoald.application.label_estimates import estimate_of
from shoald.application.label_prune import LabelPrune
from shoald.application.ports.label_ledger import CallEstimate, Caps, KnownAnswer, Spend
from shoald.domain.labelling.prices import PriceList, read_prices
from shoald.domain.labelling.prompts import LabelPrompt, PromptPart
from shoald.domain.labelling.token_counts import count_tokens
from shoald.transport.mapping.clusters.label_costs import cost_message
from support.builders import NOW

pytestmark = pytest.mark.integration

PRICES = read_prices('{"gpt-4o-mini": {"input": 0.15, "output": 0.6}}')
ONE = CallEstimate(input_tokens=100, output_tokens=20, most_input_tokens=100, most_output_tokens=50)
SCHEMA = {"properties": {"label": {"type": "string"}, "summary": {"type": "string"}, "keywords": {"type": "array"}}}
WORDS = [
    "river",
    "stone",
    "lamp",
    "ocean",
    "paper",
    "engine",
    "garden",
    "winter",
    "copper",
    "signal",
    "market",
    "orbit",
    "canvas",
    "harbor",
    "meadow",
    "thunder",
]


@dataclass
class SetClock:
    """A clock that tests set."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Bank:
    """Opens budgets over one database."""

    opens: PostgresUnitsOfWork
    clock: SetClock = field(default_factory=SetClock)

    def budget(
        self,
        run_id: str = "run_1",
        *,
        run: Caps | None = None,
        namespace: Caps | None = None,
        prices: PriceList = PRICES,
        model: str = "gpt-4o-mini-2024-07-18",
        **labeling: Any,
    ) -> RunBudget:
        rules = BudgetRules(prices=prices, run=run or Caps(), namespace=namespace or Caps())
        budgets = LabelBudgets(open_unit_of_work=self.opens, clock=self.clock, rules=rules)
        return budgets.open(namespace_id="ns_1", run_id=run_id, model=model, kind="k", labeling=labeling)

    def spent(self, run_id: str = "run_1") -> Spend:
        with self.opens() as uow:
            return uow.label_ledger.spent_by_run(run_id)

    def month(self, moment: datetime = NOW) -> Spend:
        with self.opens() as uow:
            return uow.label_ledger.spent_in_month("ns_1", moment.date().replace(day=1))


@pytest.fixture
def engine(postgres_database: str) -> Iterator[Engine]:
    engine = make_engine(postgres_database, DatabaseLimits(pool_size=16, checkout_seconds=5.0))
    yield engine
    engine.dispose()


@pytest.fixture
def bank(engine: Engine) -> Bank:
    return Bank(PostgresUnitsOfWork(engine))


def test_a_call_is_charged_with_its_most_and_then_with_what_it_took(bank: Bank) -> None:
    budget = bank.budget()
    assert budget.allow(ONE) is None
    assert (bank.spent().tokens, bank.spent().calls) == (150, 1)
    budget.book(ONE, input_tokens=90, output_tokens=10)
    spent = bank.spent()
    assert (spent.calls, spent.input_tokens, spent.output_tokens) == (1, 90, 10)
    assert spent.money == Decimal("0.15") * 90 / 1_000_000 + Decimal("0.6") * 10 / 1_000_000
    assert (bank.month().tokens, bank.month().money) == (spent.tokens, spent.money)


def test_what_a_provider_does_not_say_is_taken_as_estimated(bank: Bank) -> None:
    budget = bank.budget()
    assert budget.allow(ONE) is None
    budget.book(ONE, input_tokens=None, output_tokens=None)
    assert (bank.spent().input_tokens, bank.spent().output_tokens) == (100, 20)


def test_a_call_that_a_dead_worker_made_stays_charged(bank: Bank) -> None:
    assert bank.budget(run=Caps(tokens=200)).allow(ONE) is None
    refusal = bank.budget(run=Caps(tokens=200)).allow(ONE)
    assert refusal == "the budget of the run, 200 tokens, allows no further call"
    assert bank.spent().calls == 1


@pytest.mark.parametrize(
    ("caps", "allowed"),
    [
        ({"run": Caps(calls=3)}, 3),
        ({"run": Caps(tokens=450)}, 3),
        ({"run": Caps(money=Decimal("0.0001"))}, 2),  # 0.000045 a call
        ({"namespace": Caps(tokens=310)}, 2),
        ({"run": Caps(calls=5), "namespace": Caps(calls=4)}, 4),
    ],
)
def test_a_cap_is_never_passed(bank: Bank, caps: dict[str, Caps], allowed: int) -> None:
    budget = bank.budget(run=caps.get("run"), namespace=caps.get("namespace"))
    said = []
    for _ in range(6):
        said.append(budget.allow(ONE))
        if said[-1] is None:
            budget.book(ONE, input_tokens=100, output_tokens=50)
    assert [one is None for one in said] == [True] * allowed + [False] * (6 - allowed)
    whose = "namespace in this month" if "namespace" in caps else "run"
    assert f"the budget of the {whose}" in str(said[-1])
    assert budget.report().refused == 6 - allowed
    assert len(budget.report().reasons) == 1


def test_a_definition_may_lower_a_cap_and_never_raise_it(bank: Bank) -> None:
    lower = bank.budget("run_a", run=Caps(calls=2), parameters={"budget": {"calls": 1}})
    higher = bank.budget("run_b", run=Caps(calls=2), parameters={"budget": {"calls": 9}})
    assert [_called(lower) for _ in range(3)] == [True, False, False]
    assert [_called(higher) for _ in range(3)] == [True, True, False]


def _called(budget: RunBudget) -> bool:
    if budget.allow(ONE) is not None:
        return False
    budget.book(ONE, input_tokens=1, output_tokens=1)
    return True


def test_a_cap_on_money_stops_models_without_a_price(bank: Bank) -> None:
    budget = bank.budget(model="llama-3", run=Caps(money=Decimal(5)))
    assert "no price of the model 'llama-3' is known" in str(budget.allow(ONE))
    assert bank.spent().calls == 0
    assert bank.budget("run_2", model="llama-3").allow(ONE) is None


def test_money_is_told_where_these_calls_have_a_price_though_earlier_ones_had_none(bank: Bank) -> None:
    def named_again(prices: PriceList, *, calls: int = 1) -> Any:
        budget = bank.budget(prices=prices)
        budget.plan({str(at): ONE for at in range(calls)})
        for _ in range(calls):
            assert budget.allow(ONE) is None
            budget.book(ONE, input_tokens=100, output_tokens=20)
        report = report_as_json(budget.report(), "USD")
        return cost_message({**report, "provider": "openai", "model": "gpt-4o-mini-2024-07-18"})

    unpriced = named_again(PriceList({}))
    assert (unpriced.spent.calls, unpriced.spent.HasField("money"), unpriced.spent.HasField("currency")) == (1, 0, 0)
    cost = named_again(PRICES)
    one = 0.15 * 100 / 1_000_000 + 0.6 * 20 / 1_000_000
    assert (cost.spent.calls, cost.spent.currency) == (2, "USD")
    assert cost.spent.money == pytest.approx(one), "the first call has no price that could be added"
    assert cost.estimated.HasField("money")
    assert not named_again(PRICES, calls=0).spent.HasField("money"), "nobody was asked, and a call before had no price"
    assert not named_again(PriceList({})).spent.HasField("money")


def test_a_month_ends(bank: Bank) -> None:
    bank.clock.at = NOW.replace(day=28)
    full = bank.budget("run_1", namespace=Caps(calls=1))
    assert full.allow(ONE) is None
    assert bank.budget("run_2", namespace=Caps(calls=1)).allow(ONE) is not None
    bank.clock.at += timedelta(days=6)
    assert bank.budget("run_3", namespace=Caps(calls=1)).allow(ONE) is None


def test_workers_that_book_at_the_same_moment_pass_no_cap_together(bank: Bank) -> None:
    budgets = [bank.budget(f"run_{at}", namespace=Caps(tokens=150 * 7)) for at in range(16)]
    start = threading.Barrier(len(budgets))

    def called(budget: RunBudget) -> bool:
        start.wait()
        return budget.allow(ONE) is None

    with ThreadPoolExecutor(len(budgets)) as threads:
        allowed = sum(threads.map(called, budgets))
    assert allowed == 7
    assert bank.month().tokens == 150 * 7


def test_a_refusal_waits_for_calls_that_may_give_back(bank: Bank) -> None:
    budget = bank.budget(run=Caps(tokens=160))
    assert budget.allow(ONE) is None
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(budget.allow, ONE)
        assert not second.done()
        budget.book(ONE, input_tokens=5, output_tokens=5)
        assert second.result(timeout=30) is None
    assert bank.spent().calls == 2


def test_an_answer_is_known_for_as_long_as_is_asked(bank: Bank) -> None:
    bank.budget().keep("hash", KnownAnswer(text="{}", model="m", input_tokens=1, output_tokens=2))
    later = bank.budget("run_2")
    assert later.known("hash") == KnownAnswer(text="{}", model="m", input_tokens=1, output_tokens=2)
    assert later.known("other") is None
    assert later.report().cached == 1
    assert bank.budget(cache_ttl_seconds=0).known("hash") is None
    bank.clock.at += timedelta(hours=1)
    assert bank.budget(cache_ttl_seconds=600).known("hash") is None
    assert bank.budget(cache_ttl_seconds=7200).known("hash") is not None
    bank.clock.at += timedelta(days=7)
    assert bank.budget(cache_ttl_seconds=2_592_000).known("hash") is None


def test_answers_that_are_too_old_are_removed_batch_by_batch(bank: Bank) -> None:
    for at in range(5):
        bank.budget(cache_ttl_seconds=60 if at else 6_000).keep(f"hash{at}", KnownAnswer(text="{}", model="m"))
    bank.clock.at += timedelta(seconds=61)
    prune = LabelPrune(open_unit_of_work=bank.opens, clock=bank.clock, batch=3)
    assert prune.run_pass() == 4
    assert prune.run_pass() == 0
    assert bank.budget().known("hash0") is not None


def test_nothing_is_kept_where_the_cache_is_off(bank: Bank) -> None:
    bank.budget(cache_ttl_seconds=0).keep("hash", KnownAnswer(text="{}", model="m"))
    assert bank.budget().known("hash") is None


def test_the_answers_of_one_namespace_are_not_known_in_another(bank: Bank) -> None:
    bank.budget().keep("hash", KnownAnswer(text="{}", model="m"))
    with bank.opens() as uow:
        found = uow.label_ledger.answers("ns_2", ["hash"], now=NOW, made_after=NOW - timedelta(days=1))
    assert not found


@pytest.mark.parametrize(("wider", "wordy"), [(1.0, 1.0), (1.17, 1.6)])
def test_ten_runs_cost_what_was_estimated_and_the_same_again_nothing(bank: Bank, wider: float, wordy: float) -> None:
    """The provider counts `wider` tokens, and answers are `wordy` times as long as is assumed: the first run learns."""
    off, last = [], ""
    for run in range(10):
        prompts = [_prompt(random.Random(100 * run + at)) for at in range(8)]
        last = f"run_{run}"
        budget = bank.budget(last)
        budget.plan({one.content_hash: estimate_of(one) for one in prompts})
        for at, one in enumerate(prompts):
            _asked(budget, one, wider, wordy, times=2 if wider != 1.0 and at % 4 == 0 else 1)
        report = budget.report()
        off.append(abs(float(report.estimated.money / report.spent.money) - 1))
    assert max(off[1:]) < 0.1
    assert wider != 1.0 or off[0] < 0.1
    again = bank.budget("run_again")
    planned = again.plan({one.content_hash: estimate_of(one) for one in prompts})
    assert (planned.calls, planned.tokens, float(planned.money)) == (0, 0, 0.0)
    assert all(again.known(one.content_hash) is not None for one in prompts)
    assert bank.spent("run_again").calls == 0


def _prompt(chosen: random.Random) -> LabelPrompt:
    shown = (PromptPart(text=" ".join(chosen.choices(WORDS, k=chosen.randrange(60, 160)))) for _ in range(4))
    return LabelPrompt(
        provider="openai",
        model="gpt-4o-mini-2024-07-18",
        system="Name the group of documents below. " * 8,
        parts=tuple(shown),
        json_schema=SCHEMA,
        max_output_tokens=400,
    )


def _asked(budget: RunBudget, prompt: LabelPrompt, wider: float, wordy: float, *, times: int) -> None:
    """Ask a model that counts in its own way so many times."""
    estimate = estimate_of(prompt)
    text = " ".join(part.text for part in prompt.parts)
    taken = int((count_tokens(prompt.system + text, prompt.model) + 90) * wider)
    for _ in range(times):
        assert budget.allow(estimate) is None
        budget.book(estimate, input_tokens=taken, output_tokens=int(estimate.output_tokens * wordy))
    budget.keep(prompt.content_hash, KnownAnswer(text="{}", model=prompt.model))

"""What names may cost: a question's estimate goes in, whether it may be asked comes out, and is booked.

A cap is hard: before a call it is charged with the most that it can cost, and afterwards with what it did cost. So a
worker that dies in a call leaves it charged, and two workers together never pass what one of them may not.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from shoald.application.label_estimates import most_of, total_of
from shoald.application.ports.clock import Clock
from shoald.application.ports.label_ledger import (
    Account,
    BudgetReport,
    CallEstimate,
    Caps,
    KnownAnswer,
    Refusal,
    Spend,
)
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.prices import Price, PriceList

_LOC = ("body", "llm_labeling", "parameters", "budget")
_WORDS = ("calls", "tokens", "money")
_ASKED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """What an installation allows: caps of a run and of a namespace in a calendar month (UTC), and what tokens cost."""

    prices: PriceList
    run: Caps = field(default_factory=Caps)
    namespace: Caps = field(default_factory=Caps)
    currency: str = "USD"


def caps_of(labeling: JsonObject) -> Caps:
    """Return what a definition allows its runs: `parameters.budget` with any of `calls`, `tokens` and `money`.

    Raises `InvalidFields` that names what is not as it should be.
    """
    given = (labeling.get("parameters") or {}).get("budget")
    if given is None:
        return Caps()
    if not isinstance(given, Mapping):
        message = "must be an object with any of calls, tokens and money"
        raise InvalidFields.field(*_LOC, message=message, value=given)
    problems = [
        FieldProblem((*_LOC, name), "extra_forbidden", f"is none of {', '.join(_WORDS)}", given[name])
        for name in given
        if name not in _WORDS
    ]
    found: dict[str, Any] = {}
    for name in _WORDS:
        if given.get(name) is not None:
            value = _amount(given[name])
            if value is None or (name != "money" and value != int(value)):
                what = "a number" if name == "money" else "a whole number"
                problems.append(FieldProblem((*_LOC, name), "value_error", f"must be {what} from 0", given[name]))
            else:
                found[name] = value if name == "money" else int(value)
    if problems:
        raise InvalidFields(problems)
    return Caps(**found)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def tighter(one: Caps, other: Caps) -> Caps:
    """Return the smaller of each limit.

    >>> tighter(Caps(calls=5), Caps(calls=3, tokens=9))
    Caps(calls=3, tokens=9, money=None)
    """
    least = {}
    for name in _WORDS:
        known = [limit for limit in (getattr(one, name), getattr(other, name)) if limit is not None]
        least[name] = min(known, default=None)
    return Caps(**least)


def kind_of(json_schema: JsonObject, max_output_tokens: int) -> str:
    """Return what tells questions apart whose answers are not of a length: their shape, in 16 hex digits."""
    said = json.dumps([dict(json_schema), max_output_tokens], sort_keys=True, default=dict)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def month_of(moment: datetime) -> datetime:
    """Return the beginning of the calendar month, in UTC."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


class LabelBudgets:
    """Opens the budgets of runs."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, rules: BudgetRules) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._rules = rules

    @property
    def currency(self) -> str:
        """What money is called."""
        return self._rules.currency

    def open(self, *, namespace_id: str, run_id: str, model: str, kind: str, labeling: JsonObject) -> RunBudget:
        """Return the budget of a run that asks one model one kind of question; raises `InvalidFields`."""
        now = self._clock.now()
        account = Account(namespace_id=namespace_id, run_id=run_id, month=month_of(now).date(), model=model, kind=kind)
        rules = replace(self._rules, run=tighter(self._rules.run, caps_of(labeling)))
        return RunBudget(
            open_unit_of_work=self._open_unit_of_work,
            clock=self._clock,
            account=account,
            rules=rules,
            cache_seconds=int(labeling.get("cache_ttl_seconds", 604_800)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What questions will take; `cached` of them are known and cost nothing."""

    spend: Spend
    cached: int = 0


class RunBudget:
    """`LabelBudget` of one run, kept in the ledger."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        account: Account,
        rules: BudgetRules,
        cache_seconds: int,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._account = account
        self._rules = rules
        self._kept_for = timedelta(seconds=cache_seconds)
        self._price = rules.prices.of(account.model)
        self._lock = threading.Condition()
        self._under_way = 0
        self._planned: Spend | None = None
        self._known: dict[str, KnownAnswer] = {}
        self._hits: set[str] = set()
        self._refusals: list[str] = []
        with open_unit_of_work() as uow:
            self._before = uow.label_ledger.spent_by_run(account.run_id)

    def plan(self, estimates: Mapping[str, CallEstimate]) -> Spend:
        """Note what questions are expected to cost, without those whose answers are known."""
        expected = self.expected(estimates).spend
        if self._planned is None:
            self._planned = expected
            with self._open_unit_of_work() as uow:
                uow.label_ledger.settle(self._account, Spend(), self._priced(Spend(questions=expected.questions)))
                uow.commit()
        return expected

    def expected(self, estimates: Mapping[str, CallEstimate]) -> Expected:
        """Return what questions are expected to cost, and how many of them are known."""
        self._known |= self._answers(list(estimates))
        asked = [estimate for one, estimate in estimates.items() if one not in self._known]
        with self._open_unit_of_work() as uow:
            lately = uow.label_ledger.lately(self._account)
        return Expected(spend=total_of(asked, lately, self._price), cached=len(estimates) - len(asked))

    def refusal_of(self, spend: Spend) -> str | None:
        """Say which budget so much would pass now, None where none."""
        with self._open_unit_of_work() as uow:
            month = uow.label_ledger.spent_in_month(self._account.namespace_id, self._account.month)
        for whose, caps, spent in (("run", self._rules.run, Spend()), ("namespace", self._rules.namespace, month)):
            what = caps.exceeded_by(spent + spend)
            if what is not None:
                return self._said(Refusal(whose=whose, what=what), "does not allow all of it")
        return self._unpriced()

    def known(self, content_hash: str) -> KnownAnswer | None:
        """Return an answer that was found when the run was planned, else look again: groups may be equal."""
        found = self._known.get(content_hash) or self._answers([content_hash]).get(content_hash)
        if found is not None:
            with self._lock:
                self._known[content_hash] = found
                self._hits.add(content_hash)
        return found

    def _answers(self, hashes: list[str]) -> dict[str, KnownAnswer]:
        if not self._kept_for:
            return {}
        now = self._clock.now()
        found: dict[str, KnownAnswer] = {}
        with self._open_unit_of_work() as uow:
            for at in range(0, len(hashes), _ASKED_AT_ONCE):
                some = hashes[at : at + _ASKED_AT_ONCE]
                found |= uow.label_ledger.answers(
                    self._account.namespace_id, some, now=now, made_after=now - self._kept_for
                )
        return found

    def keep(self, content_hash: str, answer: KnownAnswer) -> None:
        """Keep an answer for as long as the definition says."""
        if not self._kept_for:
            return
        now = self._clock.now()
        with self._open_unit_of_work() as uow:
            uow.label_ledger.keep_answer(
                self._account.namespace_id, content_hash, answer, now=now, expires_at=now + self._kept_for
            )
            uow.commit()

    def allow(self, estimate: CallEstimate) -> str | None:
        """Charge the most that a call can cost, or say why it may not be made.

        While calls are under way that may turn out to have cost less, it waits for them: so the groups that are asked
        about first get what there is.
        """
        most = self._priced(most_of(estimate, self._price))
        refusal = self._unpriced()
        with self._lock:
            while refusal is None:
                refusal = self._booked(most)
                if refusal is None:
                    self._under_way += 1
                    return None
                if not self._under_way:
                    break
                self._lock.wait()
                refusal = None
            self._refusals.append(refusal)
        return refusal

    def _unpriced(self) -> str | None:
        """Say that no cap on money can be kept where nobody knows what the model costs."""
        if self._price is not None or (self._rules.run.money is None and self._rules.namespace.money is None):
            return None
        return (
            f"the budget is in money and no price of the model {self._account.model!r} is known"
            " (SHOAL_LABEL_PRICES), so it is not asked"
        )

    def _booked(self, most: Spend) -> str | None:
        with self._open_unit_of_work() as uow:
            refusal = uow.label_ledger.book(self._account, most, run=self._rules.run, namespace=self._rules.namespace)
            uow.commit()
        return None if refusal is None else self._said(refusal)

    def _said(self, refusal: Refusal, what: str = "allows no further call") -> str:
        caps = self._rules.run if refusal.whose == "run" else self._rules.namespace
        most = getattr(caps, refusal.what)
        unit = self._rules.currency if refusal.what == "money" else refusal.what
        whose = "run" if refusal.whose == "run" else "namespace in this month"
        return f"the budget of the {whose}, {most} {unit}, {what}"

    def book(self, estimate: CallEstimate, *, input_tokens: int | None, output_tokens: int | None) -> None:
        """Put what a call took in the place of what was charged for it; what is not known is taken as estimated."""
        taken_in = estimate.input_tokens if input_tokens is None else input_tokens
        taken_out = estimate.output_tokens if output_tokens is None else output_tokens
        spent = Spend(
            calls=1,
            input_tokens=taken_in,
            output_tokens=taken_out,
            counted_tokens=estimate.input_tokens if taken_in else 0,
            money=_money(self._price, taken_in, taken_out),
        )
        try:
            with self._open_unit_of_work() as uow:
                booked = most_of(estimate, self._price)
                uow.label_ledger.settle(self._account, self._priced(booked), self._priced(spent))
                uow.commit()
        finally:
            with self._lock:
                self._under_way -= 1
                self._lock.notify_all()

    def _priced(self, spend: Spend) -> Spend:
        return replace(spend, is_priced=self._price is not None)

    def report(self) -> BudgetReport:
        """Return what the run was charged with, over all its attempts, beside what was expected of that."""
        with self._open_unit_of_work() as uow:
            spent = uow.label_ledger.spent_by_run(self._account.run_id)
        is_priced = self._is_priced(spent)
        with self._lock:
            return BudgetReport(
                estimated=replace(self._before + (self._planned or Spend()), is_priced=is_priced),
                spent=replace(spent, is_priced=is_priced),
                cached=len(self._hits),
                refused=len(self._refusals),
                reasons=tuple(dict.fromkeys(self._refusals)),
            )

    def _is_priced(self, spent: Spend) -> bool:
        """Say whether money is told: as these calls have a price, or, where none was made, as all before have one.

        The sum has the money of those calls of the run that had a price.
        """
        asked_nobody = 0 < spent.calls == self._before.calls
        return spent.is_priced if asked_nobody else self._price is not None


def _money(price: Price | None, input_tokens: int, output_tokens: int) -> Decimal:
    return Decimal(0) if price is None else price.of(input_tokens, output_tokens)


def report_as_json(report: BudgetReport, currency: str) -> dict[str, Any]:
    """Return a report as a run keeps it; money is left out where the model has no price."""
    return {
        "estimated": spend_as_json(report.estimated, currency),
        "spent": spend_as_json(report.spent, currency),
        "cached": report.cached,
        "refused": report.refused,
    }


def spend_as_json(spend: Spend, currency: str) -> dict[str, Any]:
    """Return what calls take: calls, tokens and, where the model has a price, money."""
    taken: dict[str, Any] = {name: getattr(spend, name) for name in ("calls", "input_tokens", "output_tokens")}
    return {**taken, "money": float(spend.money), "currency": currency} if spend.is_priced else taken

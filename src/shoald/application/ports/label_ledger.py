"""What answers about groups cost, and which answers are known: a question's hash or its price in, a yes or no out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEstimate:
    """What one call is expected to take, in tokens.

    `input_tokens` are counted, `output_tokens` expected; `most_input_tokens` and `most_output_tokens` are what it can
    take at most, which is what a cap is held against before the call.
    """

    input_tokens: int
    output_tokens: int
    most_input_tokens: int
    most_output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """An answer that a model gave before to the same question, with what it cost then."""

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What calls took. `counted_tokens` is what we had counted of their input ourselves; money is in the unit of the
    price list, and `is_priced` says whether all of the calls had a price. `questions` are groups that were asked about:
    fewer than calls, since bad answers and names alike are asked for again.
    """

    questions: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: Decimal = NOTHING
    counted_tokens: int = 0
    is_priced: bool = True

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def __add__(self, more: Spend) -> Spend:
        """Return both together."""
        return Spend(
            questions=self.questions + more.questions,
            calls=self.calls + more.calls,
            input_tokens=self.input_tokens + more.input_tokens,
            output_tokens=self.output_tokens + more.output_tokens,
            money=self.money + more.money,
            counted_tokens=self.counted_tokens + more.counted_tokens,
            is_priced=self.is_priced and more.is_priced,
        )

    def __sub__(self, less: Spend) -> Spend:
        """Return what is left without the other; whether it is priced stays."""
        return Spend(
            questions=self.questions - less.questions,
            calls=self.calls - less.calls,
            input_tokens=self.input_tokens - less.input_tokens,
            output_tokens=self.output_tokens - less.output_tokens,
            money=self.money - less.money,
            counted_tokens=self.counted_tokens - less.counted_tokens,
            is_priced=self.is_priced,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What may be spent at most; None for no limit."""

    calls: int | None = None
    tokens: int | None = None
    money: Decimal | None = None

    def exceeded_by(self, spend: Spend) -> str | None:
        """Return which of `calls`, `tokens` and `money` would be passed first, None where none is."""
        limits = (("calls", self.calls), ("tokens", self.tokens), ("money", self.money))
        return next((name for name, most in limits if most is not None and getattr(spend, name) > most), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose money it is: the run that asks, its namespace, the month, and the model and kind of question.

    `month` is the first day of the calendar month (UTC) that is charged. `kind` tells questions apart whose answers
    are not of a length: with a summary or without, of another shape.
    """

    namespace_id: str
    run_id: str
    month: date
    model: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a call may not be made: whose cap (`run` or `namespace`) it would pass, and which."""

    whose: str
    what: str


class LabelLedger(Protocol):
    """What is stored of answers and of what they cost; a repository of a unit of work (`uow.label_ledger`)."""

    def book(self, account: Account, most: Spend, *, run: Caps, namespace: Caps) -> Refusal | None:
        """Charge a call before it is made with what it can cost at most, unless that would pass a cap.

        Two transactions that book at the same moment are one after the other: together they never pass a cap. The
        caller commits at once, so that nobody waits for a call that is being made. None means that it is booked.
        """
        ...

    def settle(self, account: Account, booked: Spend, spent: Spend) -> None:
        """Put what a call really took in the place of what was booked for it."""
        ...

    def spent_by_run(self, run_id: str) -> Spend:
        """Return what a run has been charged with, over all its attempts and models."""
        ...

    def spent_in_month(self, namespace_id: str, month: date) -> Spend:
        """Return what a namespace has been charged with in a month."""
        ...

    def lately(self, account: Account, *, limit: int = 20) -> Spend:
        """Return what the newest runs of the account's namespace took with its model for its kind of question.

        Only of runs before the account's own; at most `limit` of them.
        """
        ...

    def answers(
        self, namespace_id: str, hashes: Sequence[str], *, now: datetime, made_after: datetime
    ) -> Mapping[str, KnownAnswer]:
        """Return the answers that have not expired and were given after a moment, by the hash of their question."""
        ...

    def keep_answer(
        self, namespace_id: str, content_hash: str, answer: KnownAnswer, *, now: datetime, expires_at: datetime
    ) -> None:
        """Keep an answer that was given now, in the place of an older one."""
        ...

    def remove_expired(self, now: datetime, limit: int) -> int:
        """Remove answers that are too old, at most so many, and return how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReport:
    """What a run's names cost, as the run keeps it.

    `estimated` was said before the first call; `cached` are groups whose answer was known; `refused` are calls that a
    cap did not allow, with the reasons.
    """

    estimated: Spend
    spent: Spend
    cached: int = 0
    refused: int = 0
    reasons: tuple[str, ...] = field(default=())


class LabelBudget(Protocol):
    """The budget of one run; whoever asks a model goes through it. May be called from several threads at once.

    In this order: `plan` once with all prompts there are; for each, largest group first, `known`, and if that is None
    `allow`; if that is None the call, and after it `book`, exactly once, whatever came of it; `keep` what can be read.
    The key `budget` of `llm_labeling.parameters` is this one's, and is not forwarded to a provider.
    """

    def plan(self, estimates: Mapping[str, CallEstimate]) -> Spend:
        """Note what the questions, by their `content_hash`, are expected to cost, known answers taken off.

        What is planned first is the run's estimate: later rounds of questions are in it, as far as runs before had any.
        """
        ...

    def known(self, content_hash: str) -> KnownAnswer | None:
        """Return the answer to the same question, if there is one that is not older than `cache_ttl_seconds`."""
        ...

    def keep(self, content_hash: str, answer: KnownAnswer) -> None:
        """Keep an answer for `cache_ttl_seconds`; nothing is kept where that is 0. Only for answers that were right."""
        ...

    def allow(self, estimate: CallEstimate) -> str | None:
        """Charge a call and return None, or return why it may not be made, in words for `llm_labeling_errors`."""
        ...

    def book(self, estimate: CallEstimate, *, input_tokens: int | None, output_tokens: int | None) -> None:
        """Put what an allowed call took in the place of what was charged.

        Tokens are the provider's; None for what it did not say. A call without any answer is booked with 0 and 0 where
        it cannot have cost anything (no connection, a refused key, 429), and with None otherwise: then it is charged
        with its estimate.
        """
        ...

    def report(self) -> BudgetReport:
        """Return what was spent so far."""
        ...

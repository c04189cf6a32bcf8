"""Questions go in, what they will cost comes out: counted, and corrected by what runs before them really took."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from shoald.application.ports.label_ledger import CallEstimate, Spend
from shoald.domain.labelling.prices import Price
from shoald.domain.labelling.prompts import LabelPrompt
from shoald.domain.labelling.token_counts import input_tokens, output_tokens

_WIDEST = 5.0
"""So many times more or less may a provider count than we do; what lies beyond is no vocabulary's doing."""


def estimate_of(prompt: LabelPrompt) -> CallEstimate:
    """Return what one call will take by itself: its words are counted, its answer is assumed by its shape."""
    counted, most = input_tokens(prompt)
    return CallEstimate(
        input_tokens=counted,
        output_tokens=output_tokens(prompt),
        most_input_tokens=most,
        most_output_tokens=prompt.max_output_tokens,
    )


def most_of(estimate: CallEstimate, price: Price | None) -> Spend:
    """Return the most that one call can cost."""
    taken = (estimate.most_input_tokens, estimate.most_output_tokens)
    return Spend(
        calls=1,
        input_tokens=taken[0],
        output_tokens=taken[1],
        money=Decimal(0) if price is None else price.of(*taken),
        is_priced=price is not None,
    )


def total_of(estimates: Collection[CallEstimate], lately: Spend, price: Price | None) -> Spend:
    """Return what all questions will cost, corrected by what runs before took with the same model.

    They say how many calls come of a question, how many tokens the provider counts of one of ours, and how long
    answers are. Before the first run each question is one call, of what is counted and assumed.
    """
    counted = sum(one.input_tokens for one in estimates)
    answered = sum(one.output_tokens for one in estimates)
    expected = Spend(
        questions=len(estimates),
        calls=len(estimates),
        input_tokens=counted,
        output_tokens=answered,
        counted_tokens=counted,
    )
    corrected_spend = corrected(expected, lately)
    money = Decimal(0) if price is None else price.of(corrected_spend.input_tokens, corrected_spend.output_tokens)
    return replace(corrected_spend, money=money, is_priced=price is not None)


def corrected(expected: Spend, lately: Spend) -> Spend:
    """Return an expectation as runs before were.

    >>> corrected(
    ...     Spend(questions=10, calls=10, input_tokens=100, output_tokens=50, counted_tokens=100),
    ...     Spend(questions=2, calls=3, counted_tokens=30, input_tokens=36, output_tokens=60),
    ... ).calls
    15
    """
    if not lately.questions or not lately.calls:
        return expected
    again = max(1.0, lately.calls / lately.questions)
    ratio = lately.input_tokens / lately.counted_tokens if lately.counted_tokens else 1.0
    longer = min(_WIDEST, max(1 / _WIDEST, ratio))
    calls = round(expected.calls * again)
    return replace(
        expected,
        calls=calls,
        input_tokens=round(expected.input_tokens * again * longer),
        output_tokens=round(calls * lately.output_tokens / lately.calls),
    )

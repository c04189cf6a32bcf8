"""Tokens of questions and answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shoald.application.label_estimates import corrected, estimate_of, most_of, total_of
from shoald.application.ports.label_ledger import Spend
from shoald.domain.labelling.prices import Price
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart
from shoald.domain.labelling.token_counts import TOKENS_OF_MEDIA, input_tokens, output_tokens

SCHEMA = {"properties": {"label": {"type": "string"}, "summary": {"type": "string"}, "mood": {"type": "object"}}}
PROMPT = LabelPrompt(
    provider="openai",
    model="gpt-4o-mini-2024-07-18",
    system="Name the group.",
    parts=(PromptPart(text="a document about reading files"),),
    json_schema=SCHEMA,
    max_output_tokens=400,
)


def test_a_model_of_openai_is_counted_with_its_own_vocabulary_and_others_with_a_margin() -> None:
    counted, most = input_tokens(PROMPT)
    others = [input_tokens(replace(PROMPT, model=one)) for one in ("llama-3", "claude-haiku-4-5-20251001")]
    assert counted <= most <= counted + 12
    assert [one[0] for one in others] == [counted, counted]
    assert all(one[1] > 1.3 * counted for one in others)


def test_a_picture_takes_what_is_assumed_and_four_times_that_at_most() -> None:
    image = PromptPart(kind=PartKind.IMAGE, url="https://example.com/a.png")
    counted, most = input_tokens(PROMPT)
    shown = input_tokens(PROMPT.with_parts(image))
    assert (shown[0] - counted, shown[1] - most) == (
        TOKENS_OF_MEDIA[PartKind.IMAGE],
        4 * TOKENS_OF_MEDIA[PartKind.IMAGE],
    )


def test_longer_shapes_have_longer_answers_up_to_what_is_allowed() -> None:
    short = replace(PROMPT, json_schema={"properties": {"label": {"type": "string"}}})
    assert output_tokens(short) < output_tokens(PROMPT) < 400
    assert output_tokens(replace(PROMPT, max_output_tokens=30)) == 30
    assert output_tokens(replace(PROMPT, model="o3-mini-2025-01-31", max_output_tokens=4_000)) > 500


def test_the_schema_is_counted_where_it_is_sent() -> None:
    assert input_tokens(PROMPT)[0] > input_tokens(replace(PROMPT, wants_json=False))[0]


def test_the_most_of_a_call_is_never_less_than_what_is_expected() -> None:
    estimate = estimate_of(PROMPT)
    most = most_of(estimate, Price(Decimal(1), Decimal(2)))
    assert most.tokens >= estimate.input_tokens + estimate.output_tokens
    assert most.money == Decimal(most.input_tokens + 2 * most.output_tokens) / 1_000_000


def test_an_estimate_is_corrected_by_what_runs_before_took() -> None:
    lately = Spend(questions=10, calls=12, counted_tokens=1200, input_tokens=1320, output_tokens=600)
    expected = Spend(questions=5, calls=5, input_tokens=500, output_tokens=50, counted_tokens=500)
    found = corrected(expected, lately)
    assert (found.calls, found.input_tokens, found.output_tokens) == (6, 660, 300)


@pytest.mark.parametrize("lately", [Spend(), Spend(questions=3), Spend(calls=3, output_tokens=9)])
def test_without_runs_before_each_question_is_one_call(lately: Spend) -> None:
    estimate = estimate_of(PROMPT)
    total = total_of([estimate, estimate], lately, None)
    assert (total.calls, total.input_tokens, total.is_priced) == (2, 2 * estimate.input_tokens, False)


def test_one_odd_count_of_a_provider_does_not_upset_all_estimates() -> None:
    lately = Spend(questions=1, calls=1, counted_tokens=1, input_tokens=1_000_000, output_tokens=10)
    assert corrected(Spend(questions=1, calls=1, input_tokens=100), lately).input_tokens == 500

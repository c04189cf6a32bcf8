"""What names cost, as a run shows it."""

from __future__ import annotations

from typing import Any

from shoald.transport.mapping.clusters.label_costs import cost_message


def report(model: str = "m", **money: Any) -> dict[str, Any]:
    spend = {"calls": 2, "input_tokens": 30, "output_tokens": 4, **money}
    known = {"estimated": {**spend, "calls": 3}, "spent": spend, "cached": 1, "refused": 5}
    return {"provider": "openai", "model": model, **known, "unnamed": {}}


def test_a_run_shows_what_was_expected_beside_what_was_spent() -> None:
    cost = cost_message(report(money=0.25, currency="EUR"))
    assert cost is not None
    assert (cost.provider, cost.model, cost.cached, cost.refused) == ("openai", "m", 1, 5)
    assert (cost.estimated.calls, cost.spent.calls, cost.spent.money, cost.spent.currency) == (3, 2, 0.25, "EUR")


def test_features_that_are_grouped_each_by_itself_cost_what_all_of_them_cost() -> None:
    cost = cost_message({"a": report(money=0.25, currency="EUR"), "b": report(money=0.5, currency="EUR")})
    assert cost is not None
    assert (cost.spent.calls, cost.spent.input_tokens, cost.spent.money, cost.refused) == (4, 60, 0.75, 10)


def test_money_is_unset_where_a_model_has_no_price() -> None:
    cost = cost_message({"a": report(money=0.25, currency="EUR"), "b": report()})
    assert cost is not None
    assert not cost.spent.HasField("money")


def test_a_run_that_nobody_was_asked_for_cost_nothing_that_could_be_shown() -> None:
    assert cost_message({"unnamed": {"cl_0": "no key is set"}}) is None

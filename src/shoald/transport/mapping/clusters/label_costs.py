"""What names cost, as messages."""

from __future__ import annotations

from collections.abc import Iterable

from shoal.clusters.v1 import label_cost_pb2

from shoald.application.label_budget import spend_as_json
from shoald.application.label_forecasts import LabelForecast
from shoald.domain.json_types import JsonObject

_COUNTS = ("calls", "input_tokens", "output_tokens")


def cost_message(report: JsonObject) -> label_cost_pb2.LabelsCost | None:
    """Return what a run keeps of the cost of its names; where each feature has its own, all together.

    None where no model was asked, as where no key is set.
    """
    reports = [report] if "spent" in report else [one for one in report.values() if _is_report(one)]
    if not reports:
        return None
    return label_cost_pb2.LabelsCost(
        provider=reports[0]["provider"] or "",
        model=reports[0]["model"] or "",
        estimated=_together(one["estimated"] for one in reports),
        spent=_together(one["spent"] for one in reports),
        cached=sum(one["cached"] for one in reports),
        refused=sum(one["refused"] for one in reports),
    )


def _is_report(value: object) -> bool:
    return isinstance(value, dict) and "spent" in value


def _together(spends: Iterable[JsonObject]) -> label_cost_pb2.LabelSpend:
    known = list(spends)
    message = label_cost_pb2.LabelSpend()
    for name in _COUNTS:
        setattr(message, name, int(sum(one[name] for one in known)))
    if all("money" in one for one in known):
        message.money, message.currency = sum(one["money"] for one in known), known[0]["currency"]
    return message


def forecast_message(found: LabelForecast) -> label_cost_pb2.LabelEstimate:
    """Return what names would cost."""
    return label_cost_pb2.LabelEstimate(
        cluster_id=found.cluster_id,
        run_id=found.run_id,
        provider=found.provider,
        model=found.model,
        groups=found.groups,
        cached=found.cached,
        expected=label_cost_pb2.LabelSpend(**spend_as_json(found.spend, found.currency)),
        is_exact=found.is_exact,
        refusal=found.refusal,
    )

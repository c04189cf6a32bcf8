"""What a call changes of a definition for one run goes in; what of it changes nothing in such a run comes out."""

from __future__ import annotations

from collections.abc import Mapping

from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import ExecutionMode

_OF_RESULTS = frozenset({"vis_n_components", "llm_labeling"})
_OF_GROUPING = frozenset({"sample_size", "algorithm_params", "stability", "layout_stability"})
_APPLY: Mapping[str, frozenset[str]] = {
    ExecutionMode.FULL: _OF_RESULTS | _OF_GROUPING | {"filters", "defer_visualization"},
    ExecutionMode.ASSIGN: frozenset({"assignment_threshold", "filters", "defer_visualization"}),
    ExecutionMode.COMPOSITE: _OF_RESULTS | {"source_execution_ids", "algorithm_params"},
}
_BY_ATTRIBUTES = _OF_RESULTS | {"filters"}
_EVERY = frozenset[str]().union(*_APPLY.values())
_UNSAID: JsonObject = {"assignment_threshold": 0.5, "defer_visualization": False}
"""Clients send these whatever the mode: they say nothing."""


def idle_changes(mode: str, changes: JsonObject, *, by_attributes: bool) -> tuple[str, ...]:
    """Name each change without effect on a run in that mode, or on one that groups by attributes.

    >>> idle_changes("assign", {"sample_size": 9, "assignment_threshold": 0.7}, by_attributes=False)
    ('sample_size does not apply: the mode is assign',)
    """
    is_full_by_attributes = by_attributes and mode == ExecutionMode.FULL
    applying = _BY_ATTRIBUTES if is_full_by_attributes else _APPLY[mode]
    why = "groups are made by attributes" if is_full_by_attributes else f"the mode is {mode}"
    said = [name for name, value in changes.items() if name in _EVERY and value != _UNSAID.get(name)]
    return tuple(f"{name} does not apply: {why}" for name in sorted(said) if name not in applying)

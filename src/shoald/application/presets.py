"""Presets: what a project's settings say goes in, the fields that a call leaves out come filled.

A preset is an entry of `settings.extra.presets` that `default_chunking_preset` or `default_retrieval_preset` names. Its
members are called as the fields of the call. What a call gives wins, be it what the default is too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.project import Project
from shoald.domain.vocabulary import ChunkStrategy

_CHUNKING, _RETRIEVAL = "default_chunking_preset", "default_retrieval_preset"
_KINDS: Mapping[str, Mapping[str, tuple[type, str, str]]] = {
    _CHUNKING: {
        "strategy": (str, "string_type", "Input should be a valid string"),
        "chunker_params": (dict, "dict_type", "Input should be a valid dictionary"),
    },
    _RETRIEVAL: {
        "strategy": (dict, "dict_type", "Input should be a valid dictionary"),
        "target": (str, "string_type", "Input should be a valid string"),
        "limit": (int, "int_type", "Input should be a valid integer"),
        "filter": (dict, "dict_type", "Input should be a valid dictionary"),
    },
}


def check_presets(settings: JsonObject) -> None:
    """Raise `InvalidFields` for a default that names no preset, and for one that has a member that no call has."""
    for default, kinds in _KINDS.items():
        name = settings[default]
        if name is not None:
            _check_members(_named(settings, default, name), kinds, ("body", "settings", "extra", "presets", name))


def retrieval_preset(project: Project) -> JsonObject:
    """Return the members of the preset of a project's retrievals; none without one."""
    return _preset(project, _RETRIEVAL)


def filled_cutting(project: Project, strategy: str | None, params: JsonObject) -> tuple[str, JsonObject]:
    """Return the chunk strategy and its parameters for what a call gives; None is a strategy that it leaves out.

    Parameters of the preset are for the preset's strategy: another one that the call names has its own defaults.
    """
    preset = _preset(project, _CHUNKING)
    usual = str(preset.get("strategy") or ChunkStrategy.RECURSIVE.value)
    if strategy is not None and strategy.lower() != usual.lower():
        return strategy, params
    return strategy or usual, {**(preset.get("chunker_params") or {}), **params}


def _preset(project: Project, default: str) -> JsonObject:
    name = project.settings[default]
    presets = _presets(project.settings)
    # settings that were stored before presets were checked may name one that is not there
    found = presets.get(name) if name is not None else None
    return found if isinstance(found, Mapping) else {}


def _presets(settings: JsonObject) -> JsonObject:
    presets = (settings["extra"] or {}).get("presets")
    return presets if isinstance(presets, Mapping) else {}


def _named(settings: JsonObject, default: str, name: str) -> JsonObject:
    presets = _presets(settings)
    if name not in presets:
        known = ", ".join(map(repr, sorted(presets))) or "none"
        message = f"Value error, settings.extra.presets has no {name!r}; there are: {known}"
        raise InvalidFields.field("body", "settings", default, message=message, value=name)
    preset = presets[name]
    if not isinstance(preset, Mapping):
        place = ("body", "settings", "extra", "presets", name)
        raise InvalidFields.field(*place, kind="dict_type", message="Input should be a valid dictionary", value=preset)
    return preset


def _check_members(preset: JsonObject, kinds: Mapping[str, tuple[type, str, str]], place: tuple[str, ...]) -> None:
    for member, value in preset.items():
        if member not in kinds:
            message = f"Value error, a preset of this use has: {', '.join(kinds)}"
            raise InvalidFields.field(*place, member, message=message, value=value)
        kind, word, message = kinds[member]
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise InvalidFields.field(*place, member, kind=word, message=message, value=value)
    _check_strategy(preset.get("strategy"), place)


def _check_strategy(strategy: Any, place: tuple[str, ...]) -> None:
    if isinstance(strategy, str) and strategy.lower() not in set(ChunkStrategy):
        message = f"Value error, the chunk strategies are: {', '.join(ChunkStrategy)}"
        raise InvalidFields.field(*place, "strategy", message=message, value=strategy)

"""Presets: what a project's settings say goes in, the fields that a call leaves out come filled.

A preset is an entry of `settings.extra.presets` that `default_chunking_preset` or `default_retrieval_preset` names. Its
members are called as the fields of the call. What a call gives wins, be it what the default is too.
"""

from __future__ import annotations

from collections.abc import Mapping

from shoald.domain.json_types import JsonObject
from shoald.domain.records.project import Project
from shoald.domain.vocabulary import ChunkStrategy

CHUNKING, RETRIEVAL = "default_chunking_preset", "default_retrieval_preset"


def retrieval_preset(project: Project) -> JsonObject:
    """Return the members of the preset of a project's retrievals; none without one."""
    return _preset(project, RETRIEVAL)


def filled_cutting(project: Project, strategy: str | None, params: JsonObject) -> tuple[str, JsonObject]:
    """Return the chunk strategy and its parameters for what a call gives; None is a strategy that it leaves out.

    Parameters of the preset are for the preset's strategy: another one that the call names has its own defaults.
    """
    preset = _preset(project, CHUNKING)
    usual = str(preset.get("strategy") or ChunkStrategy.RECURSIVE.value)
    if strategy is not None and strategy.lower() != usual.lower():
        return strategy, params
    return strategy or usual, {**(preset.get("chunker_params") or {}), **params}


def _preset(project: Project, default: str) -> JsonObject:
    name = project.settings[default]
    presets = presets_of(project.settings)
    # settings that were stored before presets were checked may name one that is not there
    found = presets.get(name) if name is not None else None
    return found if isinstance(found, Mapping) else {}


def presets_of(settings: JsonObject) -> JsonObject:
    """Return the presets that settings have, by name; none where they are not an object."""
    presets = (settings["extra"] or {}).get("presets")
    return presets if isinstance(presets, Mapping) else {}

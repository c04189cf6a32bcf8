"""The retries that clients ship: every call is judged, and only those that change nothing are repeated."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.resources import files

from contract.contracts import methods

VERBS = import_module("tools.service_config")  # the import above made it known: the tools are scripts
READING_VERBS, WRITING_VERBS = VERBS.READING_VERBS, VERBS.WRITING_VERBS


def repeated() -> set[tuple[str, str]]:
    config = json.loads(files("shoal").joinpath("service_config.json").read_text())
    return {(name["service"], name["method"]) for entry in config["methodConfig"] for name in entry["name"]}


def test_every_verb_of_the_contract_is_judged() -> None:
    names = {method.name for method in methods()}
    assert not {name for name in names if not name.startswith((*READING_VERBS, *WRITING_VERBS))}
    assert not {name for name in names if name.startswith(READING_VERBS) and name.startswith(WRITING_VERBS)}


def test_only_calls_that_change_nothing_are_repeated() -> None:
    reading = {
        (method.containing_service.full_name, method.name)
        for method in methods()
        if method.name.startswith(READING_VERBS)
    }
    assert repeated() == reading
    assert ("shoal.rag.v1.ProjectService", "CreateProject") not in repeated()

"""The commands by name. Only the one that was asked for is imported, so that `shoal status` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import typer

# where the function of each command is
COMMANDS = {
    "up": "shoald.cli.up:up",
    "down": "shoald.cli.down:down",
    "status": "shoald.cli.status:status",
    "doctor": "shoald.cli.doctor:doctor",
    "serve": "shoald.cli.processes:serve",
    "work": "shoald.cli.processes:work",
    "schedule": "shoald.cli.processes:schedule",
    "migrate": "shoald.cli.processes:migrate",
    "keys": "shoald.cli.keys:keys",
    "qdrant-owner": "shoald.cli.processes:qdrant_owner",
    "health": "shoald.cli.processes:health",
    "ingest": "shoald.cli.ingest:ingest",
    "evaluate": "shoald.cli.evaluate:evaluate",
    "runs": "shoald.cli.runs:runs",
    "import": "shoald.cli.import_vectors:import_vectors",
    "map": "shoald.cli.map_command:map_vectors",
    "demo": "shoald.cli.demo:demo",
    "settings": "shoald.cli.settings_table:settings",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _build(words)(args=words, prog_name="shoal")


def _build(words: Sequence[str]) -> Callable[..., Any]:
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_shoal)
    asked = words[0] if words and words[0] in COMMANDS else None
    for name in [asked] if asked else COMMANDS:
        module, _, function = COMMANDS[name].partition(":")
        found = getattr(import_module(module), function)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _shoal() -> None:
    """Retrieval and clustering of your own files and embeddings.

    `shoal up` runs everything on this machine; `shoal COMMAND --help` says more of each command.
    """

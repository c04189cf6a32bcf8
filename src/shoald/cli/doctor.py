"""`shoal doctor`: says what is wrong and what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shoald.supervisor.checks.finding import Finding, Severity
from shoald.supervisor.installation import Installation

_MARKS = {Severity.OK: "ok     ", Severity.WARNING: "warning", Severity.PROBLEM: "PROBLEM"}


def doctor(
    data: Annotated[Path, typer.Option("--data", help="Data directory of the installation.")] = Path(".shoal"),
    port: Annotated[int, typer.Option(help="Port that Shoal should listen on.")] = 8000,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False,
) -> None:
    """Examine this machine and installation; ends with status 1 when something keeps Shoal from running."""
    from shoald.supervisor.checks.machine import examine_machine
    from shoald.supervisor.checks.place import examine_place

    findings = [*examine_machine(), *examine_place(Installation(data), port)]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            _print(finding)
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    typer.echo(f"{_MARKS[finding.severity]}  {finding.subject}: {finding.text}")
    if finding.advice:
        typer.echo(f"         what to do: {finding.advice}")

"""`shoal demo`: start everything, do the main job on real text, show what it found, leave it running."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from shoald.cli import demo_corpus, demo_job, demo_report
from shoald.cli.rest_client import RestError
from shoald.cli.running import started_url


def demo(
    data: Annotated[Path, typer.Option("--data", help="Data directory of this installation.")] = Path(".shoal"),
    port: Annotated[
        int, typer.Option(help="Port for JSON and gRPC; the next free one when it is taken.", min=1, max=65535)
    ] = 8000,
) -> None:
    """Ingest, search and cluster the documentation of Python's standard library; a second run does nothing again."""
    try:
        _demo(data, port)
    except KeyboardInterrupt:
        typer.echo(
            "\nInterrupted. Shoal itself goes on running: the same command again starts the demo anew,"
            f" `{demo_report.stop_command(data)}` stops everything.",
            err=True,
        )
        raise typer.Exit(130) from None


def _demo(data: Path, port: int) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(1) as reader:  # it waits for a process of its own, while everything starts
        modules = reader.submit(demo_corpus.standard_library_texts)
        url = started_url(data, port)
    try:
        demo_job.run(url, data, modules.result(), began=began)
    except RestError as error:
        typer.echo(f"The demo stopped: {error}\n`shoal status --data {data}` shows the parts and their logs.", err=True)
        raise typer.Exit(1) from error
    print(f"\nDone in {time.monotonic() - began:.1f} s.")

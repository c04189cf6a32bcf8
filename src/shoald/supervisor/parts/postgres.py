"""PostgreSQL as a part: its data directory is made at the first start, and it listens on loopback only."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from shoald.supervisor.binaries import postgres_program
from shoald.supervisor.part import Part
from shoald.supervisor.processes import PartStartError

ROLE = "shoal"
_NOBODY = 65534
_LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")  # whatever the host's locales are


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """One PostgreSQL on one data directory. `settings` are added to those of its configuration file."""

    data: Path
    port: int
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def url(self, database: str = ROLE) -> str:
        """Return the libpq URI of a database."""
        return f"postgresql://{ROLE}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{database}"

    def part(self) -> Part:
        """Return it as the supervisor sees it."""
        prefix, user = _way_of_not_being_root()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            # no socket file: nothing that is too long for a path, nothing to leave behind
            "unix_socket_directories": "",
            "log_destination": "stderr",
            "logging_collector": "off",
            **self.settings,
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return Part(
            name="postgres",
            command=(*prefix, postgres_program("postgres"), "-D", str(self.data), *arguments),
            address=f"127.0.0.1:{self.port}",
            is_ready=self.is_ready,
            prepare=self.prepare,
            user=user,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            death_signal=signal.SIGINT,
            ready_seconds=300,  # recovery after a crash reads the log since the last checkpoint
        )

    def is_ready(self) -> bool:
        """Ask the server whether it takes connections; it does not while it recovers."""
        command = [postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        return subprocess.run(command, check=False).returncode == 0

    def prepare(self) -> None:
        """Make the data directory if there is none; refuse one of another major version."""
        version_file = self.data / "PG_VERSION"
        if version_file.exists():
            self._check_version(version_file.read_text().strip())
        else:
            self._initialise()

    def _check_version(self, found: str) -> None:
        ours = major_version()
        if found != ours:
            raise PartStartError(
                f"{self.data} was made by PostgreSQL {found}, and this Shoal brings PostgreSQL {ours}. Dump it with the"
                " Shoal that made it (pg_dump), start this one on an empty data directory, and restore there."
            )

    def _initialise(self) -> None:
        # initdb works beside the final place and is renamed there: a start that was killed half-way starts anew
        prefix, user = _way_of_not_being_root()
        if user:
            _check_that_others_may_enter(self.data.parent)
            _check_that_others_may_enter(Path(postgres_program("postgres")).parent)
        unfinished = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        password_file = unfinished.with_name(f"{unfinished.name}.{secrets.token_hex(4)}")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if user:
            os.chown(unfinished, _NOBODY, _NOBODY)
            os.chown(password_file, _NOBODY, _NOBODY)
        try:
            self._initdb(prefix, user, unfinished, password_file)
        finally:
            password_file.unlink()
        unfinished.rename(self.data)

    @staticmethod
    def _initdb(prefix: tuple[str, ...], user: str | None, data: Path, password_file: Path) -> None:
        command = [*prefix, postgres_program("initdb"), "-D", str(data), "-U", ROLE, *_LOCALE, "--auth=scram-sha-256"]
        command += [f"--pwfile={password_file}", "--no-sync", "--no-instructions"]
        done = subprocess.run(command, check=False, user=user, capture_output=True, text=True)
        if done.returncode != 0:
            raise PartStartError(f"initdb failed in {data}:\n{done.stderr.strip()}")


def _check_that_others_may_enter(folder: Path) -> None:
    for above in (folder, *folder.parents):
        if not above.stat().st_mode & stat.S_IXOTH:
            raise PartStartError(
                f"root may not run PostgreSQL, and `nobody`, who does it instead, may not enter {above}. Run Shoal as"
                f" another user, or choose --data below folders that everybody may enter, or chmod o+x {above}."
            )


@lru_cache(maxsize=1)
def major_version() -> str:
    """Return the major version of the PostgreSQL that the wheel brings."""
    command = [postgres_program("postgres"), "--version"]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return words[-1].split(".")[0]


@lru_cache(maxsize=1)
def _way_of_not_being_root() -> tuple[tuple[str, ...], str | None]:
    """PostgreSQL refuses root: for root, return a command prefix or a user that hides it.

    A user namespace keeps the files ours and needs no reachable path for a stranger. Where namespaces are
    forbidden (many containers), `nobody` owns the data directory, and must be able to reach it.
    """
    if os.geteuid() != 0:
        return (), None
    prefix = ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}")
    if shutil.which("unshare"):
        tried = subprocess.run([*prefix, "true"], check=False, capture_output=True)
        if tried.returncode == 0:
            return prefix, None
    return (), "nobody"

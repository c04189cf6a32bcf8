"""Puts a Chromium for the tests of pages into .venv/browser, in `make setup`, where this machine has none.

It comes by npm as a compressed file (67 MB), pinned by tools/browser/package-lock.json. Without npm, or without a
network, a line says what is missing, and the tests of pages say that they were skipped.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "tools" / "browser"
FOLDER = ROOT / ".venv" / "browser"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Names under which a browser of this family is found on PATH."""

_NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000")
_ONCE = ("--version",)
_UNPACK = """
const fs = require("fs"), zlib = require("zlib");
for (const name of fs.readdirSync(process.argv[1])) {
  const packed = fs.readFileSync(`${process.argv[1]}/${name}`);
  fs.writeFileSync(`${process.argv[2]}/${name.replace(/\\.br$/, "")}`, zlib.brotliDecompressSync(packed));
}
"""
_START = """#!/bin/sh
{settings}exec "{folder}/chromium" "$@"
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""


def main() -> None:
    """Install the browser unless there is one; never fails, since nothing but tests of pages needs it."""
    if installed() is not None:
        return
    if platform.machine() != "x86_64" or not (shutil.which("node") and shutil.which("npm")):
        print("no Chromium for the tests of pages: install one, or on x86-64 node and npm, and run `make setup` again")
        return
    try:
        _install()
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(FOLDER, ignore_errors=True)
        print(f"no Chromium for the tests of pages: npm could not bring it ({error})")


def installed() -> str | None:
    """Return the path of a browser: one on PATH, else the one that `main` installs; None where there is none."""
    own = FOLDER / "start"
    found = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    return found or (str(own) if own.exists() else None)


def _install() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(SOURCES / name, Path(folder) / name)
        subprocess.run(_NPM, cwd=folder, check=True, capture_output=True, timeout=120)
        packed = Path(folder) / "node_modules" / "@sparticuz" / "chromium" / "bin"
        subprocess.run(["node", "-e", _UNPACK, str(packed), str(FOLDER)], check=True, timeout=120)
    for archive in FOLDER.glob("*.tar"):
        subprocess.run(["tar", "-xf", archive, "-C", FOLDER], check=True, timeout=120)
        archive.unlink()
    (FOLDER / "chromium").chmod(0o755)
    (FOLDER / "fonts.conf").write_text(_FONTS.format(folder=FOLDER))
    start = FOLDER / "start"
    start.write_text(_START.format(settings=_settings(), folder=FOLDER))
    start.chmod(0o755)
    # one that this machine has not the libraries for would make tests fail that had better be skipped
    subprocess.run([start, *_ONCE], check=True, capture_output=True, timeout=120)


def _settings() -> str:
    """Return what the browser needs where the system has not all of its libraries, or no fonts."""
    needed = subprocess.run(["ldd", FOLDER / "chromium"], capture_output=True, text=True, check=True).stdout
    lines = []
    if "not found" in needed:
        lines.append(f'export LD_LIBRARY_PATH="{FOLDER}/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"')
    if not Path("/etc/fonts/fonts.conf").exists():
        lines.append(f'export FONTCONFIG_FILE="{FOLDER}/fonts.conf"')
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()

"""`make setup` brings a browser where there is none, and goes on where it cannot."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest
from tools import browser


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the browser, on a machine whose PATH has nothing."""
    monkeypatch.setattr(browser, "FOLDER", tmp_path / "browser")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_browser_of_the_machine_comes_before_our_own(folder: Path) -> None:
    assert browser.installed() is None
    own = program(folder / "browser" / "start")
    assert browser.installed() == str(own)
    theirs = program(folder / "bin" / "google-chrome")
    assert browser.installed() == str(theirs)
    browser.main()
    assert own.exists(), "what is there is left alone"


def test_without_npm_a_line_says_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    browser.main()
    assert "install one, or on x86-64 node and npm" in capsys.readouterr().out
    assert not (folder / "browser").exists()


def test_an_npm_that_fails_leaves_nothing_half_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "npm")

    for name in ("node", "npm"):
        program(folder / "bin" / name)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(subprocess, "run", refuse)
    browser.main()
    assert "npm could not bring it" in capsys.readouterr().out
    assert not (folder / "browser").exists()

"""How long work is shown: plain lines where nobody looks, a bar where somebody does."""

from __future__ import annotations

import io
import sys
import time

import pytest

from shoald.cli.progress import progress


class Terminal(io.StringIO):
    """A standard output that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_a_line_at_most_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 0.0, 1.0, 6.0, 7.0, 12.0, 12.5])  # begun, lines begun, four reports, the end
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress("Counting") as report:
        for share in (0.1, 0.5, 0.6, 0.9):
            report(share, f"{share * 10:.0f} of 10")
    assert capsys.readouterr().out.splitlines() == [
        "Counting …",
        "Counting: 50% 5 of 10",
        "Counting: 90% 9 of 10",
        "Counting: 12.5 s",
    ]


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal)
    with progress("Counting") as report:
        report(0.5, "5 of 10 [/words]")
    shown = terminal.getvalue()
    assert "━" in shown
    assert "5 of 10 [/words]" in shown
    assert shown.splitlines()[-1].endswith(" s")
    assert "Counting …" not in shown

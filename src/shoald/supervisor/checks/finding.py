"""What an examination found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its name, what was found, and what to do unless it is fine."""

    subject: str
    severity: Severity
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    """Say that all is well."""
    return Finding(subject, Severity.OK, text)


def warning(subject: str, text: str, advice: str) -> Finding:
    """Say that something may become a problem."""
    return Finding(subject, Severity.WARNING, text, advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    """Say that Shoal cannot run like this."""
    return Finding(subject, Severity.PROBLEM, text, advice)

"""Reads golden files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"


@dataclass(frozen=True)
class GoldenCase:
    """One file: what it is about and its steps."""

    name: str
    about: str
    steps: tuple[dict[str, Any], ...]
    only: str | None = None

    @property
    def is_for_all(self) -> bool:
        """Whether any installation answers so: no keys, and no language model that answers."""
        return self.only in {None, "envoy"}


def read_case(path: Path) -> GoldenCase:
    """Read one file; its keys are checked, so that a misspelt one is no silent pass."""
    content = json.loads(path.read_text(encoding="utf-8"))
    unknown = set(content) - {"about", "steps", "only"}
    if unknown or not content.get("about") or not content.get("steps"):
        raise ValueError(f"{path.name}: needs about and steps, and knows no {sorted(unknown)}")
    for step in content["steps"]:
        _check_step(path.name, step)
    name = str(path.relative_to(GOLDEN).with_suffix(""))
    only = content.get("only")
    if only not in _ONLY:
        raise ValueError(f"{path.name}: only is one of {_ONLY[1:]}, not {only!r}")
    return GoldenCase(name, content["about"], tuple(content["steps"]), only)


_ONLY = (None, "envoy", "keys", "model")
_STEP = {"about", "within_seconds", "repeat"}
_JSON_STEP = {"request", "response"} | _STEP
_GRPC_STEP = {"grpc", "metadata", "message", "messages", "answer"} | _STEP
_REQUEST = {"method", "path", "headers", "body", "text", "base64", "multipart", "filler"}
_RESPONSE = {"status", "headers", "body", "text"}


def _check_step(name: str, step: dict[str, Any]) -> None:
    unknown = set(step) - (_GRPC_STEP if "grpc" in step else _JSON_STEP)
    if "request" in step:
        unknown |= set(step["request"]) - _REQUEST | set(step["response"]) - _RESPONSE
    if unknown:
        raise ValueError(f"{name}: a step knows no {sorted(unknown)}")


def all_cases() -> Iterator[GoldenCase]:
    """Yield every file below golden/, in a fixed order."""
    return (read_case(path) for path in sorted(GOLDEN.rglob("*.json")))


def known_different() -> dict[str, str]:
    """Return the files that do not pass yet, each with its reason."""
    listed: dict[str, str] = json.loads((HERE / "known_different.json").read_text(encoding="utf-8"))
    return listed

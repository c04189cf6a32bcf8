"""Compares answers with what golden files expect; README.md has the rules."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_WHOLE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_MATCHER = re.compile(r"<(.+?)(?: as ([a-z_][a-z0-9_]*))?>", re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# protobuf prints as few groups of three digits as a time needs: one in a thousand has three, one in a million none
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z")
_KINDS: dict[str, Any] = {
    "any": lambda _: True,
    "string": lambda v: isinstance(v, str),
    "int": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool) and float(v).is_integer(),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "object": lambda v: isinstance(v, Mapping),
    "array": lambda v: isinstance(v, list),
    "uuid": lambda v: isinstance(v, str) and _UUID.fullmatch(v) is not None,
    "time": lambda v: isinstance(v, str) and _TIME.fullmatch(v) is not None,
    "sha256": lambda v: isinstance(v, str) and re.fullmatch(r"[0-9a-f]{64}", v) is not None,
}


class Mismatch(Exception):  # noqa: N818 - it names what happened
    """An answer is not what was expected; the message says where and how."""


@dataclass
class Captured:
    """The values that a file has captured so far."""

    values: dict[str, Any] = field(default_factory=dict)

    def fill(self, template: Any) -> Any:
        """Put captured values into a request or an expectation, however deep."""
        if isinstance(template, str):
            return self._fill_text(template)
        if isinstance(template, Mapping):
            return {self._fill_text(key): self.fill(value) for key, value in template.items()}
        if isinstance(template, list):
            return [self.fill(element) for element in template]
        return template

    def _fill_text(self, template: str) -> Any:
        whole = _WHOLE.fullmatch(template)
        if whole is not None and whole.group(1) in self.values:
            return self.values[whole.group(1)]
        return _WHOLE.sub(lambda m: str(self.values.get(m.group(1), m.group(0))), template)

    def match(self, expected: Any, found: Any, where: str = "") -> None:
        """Raise `Mismatch` unless `found` is as expected; capture what the matchers say on the way."""
        if isinstance(expected, str):
            self._match_text(expected, found, where)
        elif isinstance(expected, Mapping):
            self._match_object(expected, found, where)
        elif isinstance(expected, list):
            self._match_list(expected, found, where)
        elif isinstance(expected, bool) or expected is None or isinstance(found, bool):
            _require(found is expected, where, expected, found)
        else:
            _require(isinstance(found, (int, float)) and found == expected, where, expected, found)

    def _match_text(self, expected: str, found: Any, where: str) -> None:
        matcher = _MATCHER.fullmatch(expected)
        if matcher is None or not _is_matcher(matcher.group(1)):
            wanted = self._fill_text(expected)
            _require(found == wanted, where, wanted, found)
            return
        _require(_matches(self.fill(matcher.group(1)), found), where, expected, found)
        if matcher.group(2):
            self.values[matcher.group(2)] = found

    def _match_object(self, expected: Mapping[str, Any], found: Any, where: str) -> None:
        _require(isinstance(found, Mapping), where, expected, found)
        wanted = {str(self._fill_text(key)): value for key, value in expected.items() if key != "..."}
        missing = sorted(set(wanted) - set(found))
        if missing:
            raise Mismatch(f"{where or '/'}: keys are missing: {', '.join(missing)}; found {_short(found)}")
        extra = sorted(set(found) - set(wanted))
        if extra and "..." not in expected:
            raise Mismatch(f"{where or '/'}: unexpected keys: {', '.join(extra)}; found {_short(found)}")
        for key, value in wanted.items():
            self.match(value, found[key], f"{where}/{key}")

    def _match_list(self, expected: list[Any], found: Any, where: str) -> None:
        _require(isinstance(found, list), where, expected, found)
        if expected[:1] == ["<each>"]:
            for position, element in enumerate(found):
                self.match(expected[1], element, f"{where}/{position}")
        elif expected[:1] == ["<some>"]:
            for pattern in expected[1:]:
                self._match_some(pattern, found, where)
        else:
            if len(found) != len(expected):
                raise Mismatch(f"{where or '/'}: {len(found)} elements, not {len(expected)}; found {_short(found)}")
            for position, (pattern, element) in enumerate(zip(expected, found, strict=True)):
                self.match(pattern, element, f"{where}/{position}")

    def _match_some(self, pattern: Any, found: list[Any], where: str) -> None:
        reasons = []
        for element in found:
            attempt = Captured(dict(self.values))
            try:
                attempt.match(pattern, element, where)
            except Mismatch as mismatch:
                reasons.append(str(mismatch))
            else:
                self.values = attempt.values
                return
        raise Mismatch(f"{where or '/'}: no element is {_short(pattern)}; {'; '.join(reasons[:3]) or 'there is none'}")


def _is_matcher(word: str) -> bool:
    return word in _KINDS or word.startswith(("id:", "re:", "near:"))


def _matches(matcher: str, found: Any) -> bool:
    if matcher in _KINDS:
        return bool(_KINDS[matcher](found))
    kind, _, argument = matcher.partition(":")
    if kind == "near":
        value, _, tolerance = argument.partition("±")
        return isinstance(found, (int, float)) and math.isclose(
            found, float(value), rel_tol=0, abs_tol=float(tolerance or 1e-6)
        )
    pattern = re.escape(argument) + r"[A-Za-z0-9]{8,}" if kind == "id" else argument
    return isinstance(found, str) and re.fullmatch(pattern, found, re.DOTALL) is not None


def _require(holds: bool, where: str, expected: Any, found: Any) -> None:  # noqa: FBT001 - the one condition
    if not holds:
        raise Mismatch(f"{where or '/'}: expected {_short(expected)}, found {_short(found)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 400 else text[:400] + "…"

"""What one free JSON parameter may be goes in; the value as its type, or the problem with it, comes out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol, TypeVar

from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject

Location = Sequence[str | int]

BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
KINDS = {int: "int", float: "float", bool: "bool", str: "string", list: "list", dict: "dict"}
PRECOMPUTED = "precomputed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one parameter may be."""

    kind: type
    least: float | None = None
    above: float | None = None
    most: float | None = None
    never: float | None = None
    words: tuple[str, ...] = ()
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A documented parameter without effect here: it is checked, and named in the warnings with the reason."""

    rule: Rule
    reason: str


class Shape(Protocol):
    """A frozen dataclass of parameters: what its method is called, and how its words are read."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    method: ClassVar[str]
    aliases: ClassVar[Mapping[str, str]]
    idle: ClassVar[Mapping[str, Idle]]


Parameters = TypeVar("Parameters", bound=Shape)


def parameter(default: Any, kind: type, **rule: Any) -> Any:
    """Declare a field with its default and its rule."""
    return field(default=default, metadata={"rule": Rule(kind=kind, **rule)})


def idle(kind: type, reason: str, **rule: Any) -> Idle:
    """Declare a documented parameter that has no effect here."""
    return Idle(rule=Rule(kind=kind, **rule), reason=reason)


def names_of(shape: type[Shape]) -> frozenset[str]:
    """Return all words that a method knows, be it that they have no effect."""
    return frozenset({f.name for f in fields(shape) if "rule" in f.metadata} | set(shape.aliases) | set(shape.idle))


def read_parameters(
    shape: type[Parameters], given: JsonObject, loc: Location, *, elsewhere: Collection[str] = ()
) -> tuple[Parameters, tuple[str, ...]]:
    """Read each known parameter, collect what is wrong with all of them, and say what was left out.

    `elsewhere` are the words of all methods: one that is none of them is told with the one that may have been meant.

    Raises `InvalidFields` with one problem per bad value, located at `loc` and the word that was given.
    """
    rules = {f.name: f.metadata["rule"] for f in fields(shape) if "rule" in f.metadata}
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    warnings: list[str] = []
    for word, value in given.items():
        name = shape.aliases.get(word, word)
        if name not in rules:
            read = _left_out(shape, word, value, (*loc, word), warnings)
            if value is not None and elsewhere and word not in elsewhere:
                warnings[-1] = _misspelled(word, elsewhere, names_of(shape))
        elif value is not None:
            read = values[name] = read_value(rules[name], value, (*loc, word))
        else:
            read = None
            values |= {name: None} if rules[name].nullable else {}
        if isinstance(read, FieldProblem):
            problems.append(read)
    if problems:
        raise InvalidFields(problems)
    return shape(**values), tuple(sorted(warnings))


def _left_out(
    shape: type[Parameters], word: str, value: Any, loc: tuple[str | int, ...], warnings: list[str]
) -> FieldProblem | None:
    """Say that a word has no effect; return what is wrong with it where this method documents it."""
    if value is None:
        return None
    if word not in shape.idle:
        warnings.append(f"{word} is no parameter of {shape.method} and was ignored")
        return None
    known = shape.idle[word]
    warnings.append(f"{word} does not apply: {known.reason}")
    read = read_value(known.rule, value, loc)
    return read if isinstance(read, FieldProblem) else None


def _misspelled(word: str, known: Collection[str], mine: Collection[str]) -> str:
    """Say that a word is none, and which may have been meant: this method's own first."""
    near = get_close_matches(word, sorted(mine), n=1) or get_close_matches(word, sorted(known), n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{word} is no parameter of any method and was ignored{meant}"


def not_among(loc: Location, value: Any, known: Sequence[str]) -> FieldProblem:
    """Return the problem of a word that is none of the known ones."""
    if value == PRECOMPUTED or str(value).startswith(f"{PRECOMPUTED}_"):
        message = "nothing precomputed can be given: a run computes from vectors"
        return FieldProblem(tuple(loc), "literal_error", message, value)
    return FieldProblem(tuple(loc), "literal_error", f"must be one of {', '.join(known)}", value)


def read_value(rule: Rule, value: Any, loc: tuple[str | int, ...]) -> Any:
    """Return the value as the rule's type, or the problem with it; nothing is clamped."""
    coerced = _coerce(rule.kind, value)
    if coerced is None:
        name = KINDS[rule.kind]
        article = "an integer" if rule.kind is int else f"a {name}"
        return FieldProblem(loc, f"{name}_parsing", f"must be {article}", value)
    problem = _outside(rule, coerced, value, loc)
    return coerced if problem is None else problem


def _outside(rule: Rule, coerced: Any, value: Any, loc: tuple[str | int, ...]) -> FieldProblem | None:
    """Return how a value of the right type lies outside its rule."""
    if rule.words and coerced not in rule.words:
        return not_among(loc, value, rule.words)
    if rule.never is not None and coerced == rule.never:
        return FieldProblem(loc, "value_error", f"must not be {rule.never:g}", value)
    if rule.least is not None and coerced < rule.least:
        return FieldProblem(loc, "greater_than_equal", f"must be at least {rule.least:g}", value)
    if rule.above is not None and coerced <= rule.above:
        return FieldProblem(loc, "greater_than", f"must be greater than {rule.above:g}", value)
    if rule.most is not None and coerced > rule.most:
        return FieldProblem(loc, "less_than_equal", f"must be at most {rule.most:.10g}", value)
    return None


def _coerce(kind: type, value: Any) -> Any:
    """Return the value as `kind`, or None when that would lose or invent something."""
    if kind is str:
        return value if isinstance(value, str) else None
    if kind is bool:
        return BOOLEANS.get(str(value).lower())
    if kind in {list, dict}:
        return value if isinstance(value, kind) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    fits = number.is_integer() if kind is int else math.isfinite(number)
    return kind(number) if fits else None

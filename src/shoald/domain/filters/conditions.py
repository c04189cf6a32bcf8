"""What a filter says, once it is understood: a tree of typed nodes, the same for memory and for SQL.

Semantics, for `domain/filters/evaluation.py` and `adapters/postgres/filters.py` alike:

* A path names keys from the root; where it meets a list it goes on in each of its objects.
* A comparison of single values holds when it holds for the value, or for one element of it when it is a list.
* Text is compared with text, by its characters, without case unless `case_sensitive`; numbers with numbers by size;
  true and false with themselves. Values of different kinds are unequal and in no order.
* `ne` and `nin` are what `eq` and `in` are not, so they hold where the field is absent.
* `exists` asks for the key, `is_null` for null or no key; `eq` null is the same as `is_null`.
* `contains`: a text within a text, or an element of a list.
* Words are runs of letters, digits and underscores. `text`: all of the words are there, in any order; `words`: one of
  them is; `phrase`: all of them, one after another.
"""

from __future__ import annotations

from dataclasses import dataclass

from shoald.domain.filters.geometry import Area
from shoald.domain.filters.patterns import Pattern
from shoald.domain.vocabulary import FilterOperator

Scalar = str | int | float | bool | None
FieldPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Equals:
    """`eq`, and `in` as equal to one of several; null among them means that the field is null or absent."""

    path: FieldPath
    values: tuple[Scalar, ...]
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Ordered:
    """`gt`, `gte`, `lt`, `lte`."""

    path: FieldPath
    operator: FilterOperator
    value: str | int | float
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains`."""

    path: FieldPath
    value: str | int | float | bool
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Affix:
    """`starts_with` and `ends_with`."""

    path: FieldPath
    value: str
    at_end: bool
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Matches:
    """`regex`: the pattern is found somewhere in the text."""

    path: FieldPath
    pattern: Pattern
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class HasWords:
    """`text`, `words` and `phrase`."""

    path: FieldPath
    operator: FilterOperator
    words: tuple[str, ...]
    case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists`."""

    path: FieldPath


@dataclass(frozen=True, slots=True)
class Within:
    """`geo_radius`, `geo_bounding_box`, `geo_polygon`: a place `{"lat": …, "lon": …}` lies in the area."""

    path: FieldPath
    area: Area


Condition = AllOf | AnyOf | Not | Equals | Ordered | Contains | Affix | Matches | HasWords | Exists | Within


def roots_of(condition: Condition) -> frozenset[str]:
    """Return the keys at a document's root that a condition looks at.

    >>> sorted(roots_of(AllOf((Exists(("a", "b")), Not(Exists(("c",)))))))
    ['a', 'c']
    """
    if isinstance(condition, AllOf | AnyOf):
        return frozenset().union(*map(roots_of, condition.parts))
    if isinstance(condition, Not):
        return roots_of(condition.part)
    return frozenset(condition.path[:1])

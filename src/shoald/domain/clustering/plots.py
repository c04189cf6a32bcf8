"""The reachability plot of OPTICS."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.domain.clustering.spaces import Doubles, Integers


@dataclass(frozen=True, slots=True)
class Reachability:
    """All (n,): `ordering` of the rows; `distances` at which each was reached (inf: it began a piece) and `cores`;
    `predecessors`, the row it was reached from (-1: none).
    """

    ordering: Integers
    distances: Doubles
    cores: Doubles
    predecessors: Integers

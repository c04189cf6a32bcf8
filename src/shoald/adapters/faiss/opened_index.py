"""One mapped FAISS index: finds the nearest of all rows, or of those that are allowed, and gives rows back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.faiss.index_files import load_faiss
from shoald.adapters.faiss.sketch import WORTHWHILE, Sketch
from shoald.domain.retrieval.nearest import Candidates

Row = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

_MOST_ON_GPU = 2048  # FAISS's own limit for k on CUDA
_SPREAD = 4  # a search for many looks into lists that hold so many times as many
_COMPARED_ONE_BY_ONE = 50_000
_DENSE = 0.25  # where so large a share of a flat index is allowed, scanning all is quicker than picking
_WIDEST_LOOK = 20_000
_BLOCK = 16_384


@dataclass
class OpenedIndex:
    """`mapped` is the index on the CPU, `searching` the one that answers: a copy on the GPU, or the same.

    Every search is one of many at once, so each passes its own parameters and none changes the index.
    """

    mapped: Any
    searching: Any
    alone: threading.Lock | None = None
    resources: Any = field(default=None, repr=False)
    _scans: int = 0

    @property
    def total(self) -> int:
        """The number of rows."""
        return int(self.mapped.ntotal)

    def fetch(self, row: Row, m: int) -> Candidates:
        """Return the m nearest of all."""
        found = self._found(row, m)
        positions = found if len(found) == m else self._everywhere(row, m)
        return positions, self._rows(positions)

    def fetch_among(self, row: Row, allowed: Positions, m: int) -> Candidates:
        """Return the m nearest of the allowed positions.

        Few are compared one by one. Among many an approximate search looks as much further as fewer are allowed; it
        looks at what is nearest first, so it is done when it has found enough; if it has not, all are compared.
        """
        if len(allowed) > _COMPARED_ONE_BY_ONE or self._scans_quicker(len(allowed)):
            found = self._found_among(row, allowed, m)
            if len(found) == m:
                return found, self._rows(found)
        return self._compared(row, allowed, m)

    def _found(self, row: Row, m: int) -> Positions:
        if self._is_lists and (lists := self._lists_for(m)):
            return self._searched(row, m, load_faiss().SearchParametersIVF(nprobe=lists))
        if self._is_graph and m > self.mapped.hnsw.efSearch:
            return self._searched(row, m, load_faiss().SearchParametersHNSW(efSearch=_SPREAD * m))
        if self.alone is None and (sketched := self._sketched(row, m)) is not None:
            return sketched
        if self.alone is None or m > _MOST_ON_GPU:
            return _kept(self.mapped.search(row, m))
        with self.alone:
            return _kept(self.searching.search(row, m))

    def _sketched(self, row: Row, m: int) -> Positions | None:
        """Return what the sketch of a large flat index proves; the first scan goes without, which would wait for it."""
        if self._is_lists or self._is_graph or self.total * self.mapped.d < WORTHWHILE:
            return None
        self._scans += 1
        return self._sketch.nearest(row, m) if self._scans > 1 and self._sketch is not None else None

    def _everywhere(self, row: Row, m: int) -> Positions:
        if self._is_lists:
            return self._searched(row, m, load_faiss().SearchParametersIVF(nprobe=self.mapped.nlist))
        return self._compared(row, np.arange(self.total), m)[0]

    def _found_among(self, row: Row, allowed: Positions, m: int) -> Positions:
        faiss = load_faiss()
        mask = np.zeros(self.total, bool)
        mask[allowed] = True
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        if self._is_lists:
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=self._lists_holding(row, allowed, m))
        elif self._is_graph:
            look = max(self.mapped.hnsw.efSearch, _SPREAD * m) * self.total / len(allowed)
            parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=int(min(look, _WIDEST_LOOK)))
        else:
            parameters = faiss.SearchParameters(sel=selector)
        return self._searched(row, m, parameters)

    def _compared(self, row: Row, allowed: Positions, m: int) -> Candidates:
        """Compare the query with each allowed row, some thousand at a time."""
        scores = np.concatenate([self._rows(block) @ row[0] for block in _blocks(allowed)] or [np.empty(0, np.float32)])
        best = np.argpartition(-scores, m - 1)[:m] if m < len(scores) else np.arange(len(scores))
        return allowed[best], self._rows(allowed[best])

    def _rows(self, positions: Positions) -> Row:
        if self._flat_rows is not None:
            picked: Row = self._flat_rows[positions]
            return picked
        rows: Row = self.mapped.reconstruct_batch(positions)
        return rows

    def _searched(self, row: Row, m: int, parameters: Any) -> Positions:
        return _kept(self.mapped.search(row, m, params=parameters))

    def _lists_for(self, m: int) -> int | None:
        """Return how many lists hold the m nearest, None where those of any search do."""
        lists = self.mapped.nlist
        holding = min(lists, -(-_SPREAD * m * lists // max(1, self.total)))
        return holding if holding > self.mapped.nprobe else None

    def _lists_holding(self, row: Row, allowed: Positions, m: int) -> int:
        """Return how many lists, nearest first, hold as many allowed rows as any search looks at."""
        lists = self.mapped.nlist
        wanted = max(_SPREAD * m, self.mapped.nprobe * self.total // lists)
        held = np.bincount(self._list_of[allowed], minlength=lists)
        order = self.mapped.quantizer.search(row, lists)[1][0]
        return int(min(lists, 1 + np.searchsorted(held[order].cumsum(), wanted)))

    def _scans_quicker(self, allowed: int) -> bool:
        return not self._is_lists and not self._is_graph and allowed > _DENSE * self.total

    @cached_property
    def _is_lists(self) -> bool:
        return isinstance(self.mapped, load_faiss().IndexIVFFlat)

    @cached_property
    def _is_graph(self) -> bool:
        return isinstance(self.mapped, load_faiss().IndexHNSW)

    @cached_property
    def _flat_rows(self) -> Row | None:
        """The rows as they lie in the file, where they lie in order."""
        if self._is_lists:
            return None
        faiss = load_faiss()
        flat = faiss.downcast_index(self.mapped.storage) if self._is_graph else self.mapped
        rows: Row = faiss.rev_swig_ptr(flat.get_xb(), self.total * flat.d).reshape(self.total, flat.d)
        return rows

    @cached_property
    def _sketch(self) -> Sketch | None:
        return None if self._flat_rows is None else Sketch(self._flat_rows)

    @cached_property
    def _list_of(self) -> npt.NDArray[np.int32]:
        """The list of each position."""
        faiss, lists = load_faiss(), self.mapped.invlists
        of = np.zeros(self.total, np.int32)
        for number in range(self.mapped.nlist):
            size = lists.list_size(number)
            if size:
                of[faiss.rev_swig_ptr(lists.get_ids(number), size)] = number
        return of


def _kept(answer: Any) -> Positions:
    positions: Positions = answer[1][0]
    return positions[positions >= 0]


def _blocks(positions: Positions) -> Iterator[Positions]:
    return (positions[start : start + _BLOCK] for start in range(0, len(positions), _BLOCK))

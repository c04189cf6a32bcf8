"""Groups and the payloads of their documents go in; a name and distinctive terms for each group come out.

Every group is first named after the terms that set it apart. Where a language model was asked for, its names take the
place of these, as far as there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_work import Work
from shoald.application.labelling import unnamed_by_reason
from shoald.application.labelling_inputs import chosen_samples, mapped_value
from shoald.application.model_labels import GroupToName, LabelRun, ModelLabels, NamedGroup
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.clustering.group_tree import GroupTree
from shoald.domain.clustering.spaces import Integers
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.keywords import name_groups
from shoald.domain.labelling.label_plan import InputMapping, label_plan
from shoald.domain.labelling.prompt_writing import is_text
from shoald.domain.vocabulary import InputSource

SHOWN_TO_NAMING = 200
"""Documents of each group whose texts are looked at, the nearest to the centroid first."""

_TEXT_KEYS = ("content", "text", "title", "name", "headline", "description", "summary")
_READ_AT_ONCE = 1000
_SHARE_OF_TERMS = 0.3
"""How much of the naming's progress the distinctive terms are, where a model is asked too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of the groups in their order; if a language model was asked for, why some are not its, and its cost."""

    names: tuple[NamedGroup, ...]
    errors: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    report: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroups:
    """The groups of an input: `nearest` are rows of each, nearest to its centroid first; `similarities` are the mean
    cosines to the centroids, None where there are none.
    """

    given: ClusterInput
    tree: GroupTree
    nearest: Sequence[Integers]
    similarities: Sequence[float] | None = None


class ClusterNaming:
    """Names groups after the terms that set them apart, or by a language model."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, models: ModelLabels | None = None) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._models = models

    def name(self, work: Work, found: FoundGroups) -> Names:
        """Return the name of each group from its documents, those nearest to its centroid first."""
        labeling = work.spec.labeling
        step = work.stage("label", f"naming {len(found.tree)} groups")
        asks_model = bool(labeling.get("enabled")) and self._models is not None and len(found.tree) > 0
        share = _SHARE_OF_TERMS if asks_model else 1.0
        own = self.own_names(found, labeling, lambda done: step(done * share))
        if not asks_model or self._models is None:
            return Names(names=own)
        run = LabelRun(namespace_id=work.run.namespace_id, run_id=work.run.run_id, labeling=labeling)
        groups = _to_name(work, found, own)
        named = self._models.named(run, groups, lambda done: step(share + done * (1 - share)))
        return Names(
            names=named.names,
            errors=unnamed_by_reason(named.unnamed),
            warnings=named.warnings,
            report={**named.report, "unnamed": dict(named.unnamed)},
        )

    def own_names(
        self, found: FoundGroups, labeling: JsonObject, step: Callable[[float], None]
    ) -> tuple[NamedGroup, ...]:
        """Return the names of the groups' distinctive terms."""
        texts = self._groups(found.given, found.nearest, labeling, step)
        names = [NamedGroup.of(one) for one in name_groups(texts, expected=len(found.nearest))]
        if labeling.get("include_keywords") is False:
            names = [replace(one, keywords=()) for one in names]
        if labeling.get("include_summary") is False:
            names = [replace(one, summary=None) for one in names]
        return tuple(names)

    def _groups(
        self, given: ClusterInput, members: Sequence[Integers], labeling: JsonObject, step: Callable[[float], None]
    ) -> Iterator[list[str]]:
        """Yield the texts of one group after another, so that those of one are held at a time."""
        mappings = text_mappings(labeling)
        for at, rows in enumerate(members):
            yield list(self._texts(given, rows[:SHOWN_TO_NAMING], mappings))
            step((at + 1) / len(members))

    def _texts(self, given: ClusterInput, rows: Integers, mappings: Sequence[InputMapping]) -> Iterator[str]:
        for place, collection in enumerate(given.collections):
            mine = [given.ids[row].decode() for row in rows.tolist() if given.places[row] == place]
            for start in range(0, len(mine), _READ_AT_ONCE):
                wanted = mine[start : start + _READ_AT_ONCE]
                with self._open_unit_of_work() as uow:
                    payloads = uow.collections.payloads(collection.collection_id, wanted)
                yield from (text_of(payloads[one], mappings) for one in wanted if one in payloads)


def _to_name(work: Work, found: FoundGroups, own: Sequence[NamedGroup]) -> list[GroupToName]:
    """Choose the documents of each group that are shown; groups of one feature of several go by its name too."""
    plan, tree = label_plan(work.spec.labeling), found.tree
    prefix = "" if work.feature is None else f"{work.feature}:"
    groups = []
    for at, members in enumerate(tree.members()):
        similarity = None if found.similarities is None else float(found.similarities[at])
        places = chosen_samples(plan, len(found.nearest[at]), size=len(members), similarity=similarity)
        rows = [int(found.nearest[at][place]) for place in places]
        shown = tuple(_document(found.given, row) for row in rows)
        groups.append(
            GroupToName(cluster_id=f"{prefix}{tree.ids[at]}", size=len(members), documents=shown, fallback=own[at])
        )
    return groups


def _document(given: ClusterInput, row: int) -> tuple[str, str]:
    return given.collections[int(given.places[row])].collection_id, given.ids[row].decode()


def text_mappings(labeling: JsonObject) -> tuple[InputMapping, ...]:
    """Return the labelling inputs that are words: a medium's address says nothing of what it shows."""
    return tuple(one for one in label_plan(labeling).mappings if is_text(one.key))


def text_of(payload: JsonObject, mappings: Sequence[InputMapping]) -> str:
    """Return the text that stands for a document: what the labelling inputs say, else its known text keys, else all.

    >>> text_of({"id": 7, "title": "Reading files", "body": "open()"}, ())
    'Reading files'
    """
    found = [text for one in mappings for text in _texts_at(payload, one)]
    if not found:
        found = [payload[key] for key in _TEXT_KEYS if isinstance(payload.get(key), str)]
    if not found:
        found = [value for value in payload.values() if isinstance(value, str)]
    return " ".join(found)


def _texts_at(payload: JsonObject, mapping: InputMapping) -> list[str]:
    """Return the texts that a mapping takes from the payload; other sources hold none of the document's own."""
    value = mapped_value(mapping, payload, {}) if mapping.source == InputSource.PAYLOAD else None
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one]

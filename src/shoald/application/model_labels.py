"""Groups with the names of their distinctive terms go in; the names that a language model gives them come out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy.typing as npt

from shoald.application.label_budget import LabelBudgets, kind_of, report_as_json
from shoald.application.label_estimates import estimate_of
from shoald.application.labelling import Labelling, Question, Terms
from shoald.application.labelling_attempts import Asking, Outcome
from shoald.application.labelling_inputs import LabellingInputs, SampledDocument
from shoald.application.ports.clock import Clock
from shoald.application.ports.label_ledger import LabelBudget
from shoald.application.ports.language_model import LanguageModel, LanguageModels, ModelFailure
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.keywords import GroupName
from shoald.domain.labelling.label_plan import LabelPlan, label_plan
from shoald.domain.labelling.likenesses import Likeness, alike_pairs, numbered, repeats_fields
from shoald.domain.labelling.prompt_writing import ShownDocument, answer_schema, output_tokens_of, write_prompt
from shoald.domain.labelling.prompts import LabelPrompt
from shoald.domain.records.label_audit import LabelAudit
from shoald.domain.vocabulary import InputSource

_FENCE_BYTES = 12
_NOTHING_SHOWN = "none of its documents has anything that labeling_inputs name and that it may be shown"
_SHARE_OF_FIRST = 0.8
"""How much of a stage's progress the first questions are; the rest are those that tell names apart."""

Embed = Callable[[Sequence[str]], npt.NDArray[Any] | None]
"""Turns names into (n, d) unit vectors; None where nothing can, and names are told apart letter by letter alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedGroup(GroupName):
    """A name; `confidence` (0 to 1) and `fields` are a language model's, which made it when `is_model` says so."""

    confidence: float | None = None
    fields: JsonObject = field(default_factory=dict)
    is_model: bool = False

    @classmethod
    def of(cls, name: GroupName) -> NamedGroup:
        """Return the name of a group's distinctive terms."""
        return cls(label=name.label, keywords=name.keywords, summary=name.summary)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRun:
    """Whose groups are named, as the run that is charged, by which definition of names."""

    namespace_id: str
    run_id: str
    labeling: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupToName:
    """A group: its id and size, those of its documents that are shown (collection and document id), and its name so
    far.
    """

    cluster_id: str
    size: int
    documents: tuple[tuple[str, str], ...]
    fallback: GroupName


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNames:
    """Names in the order of the groups, why some are not the model's by the group's id, and what the names cost."""

    names: tuple[NamedGroup, ...]
    unnamed: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    report: JsonObject = field(default_factory=dict)


@dataclass(slots=True)
class _Round:
    """One labelling of one run: the plan with its model, and what was seen on the way."""

    run: LabelRun
    plan: LabelPlan
    model: LanguageModel
    budget: LabelBudget
    labelling: Labelling
    fence: str
    groups: Mapping[str, GroupToName]
    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)
    shown: dict[str, tuple[ShownDocument, ...]] = field(default_factory=dict)


class ModelLabels:
    """Asks a language model for names; whatever happens, each group has one in the end."""

    def __init__(  # noqa: PLR0913 - naming touches documents, providers, money and time
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        models: LanguageModels,
        inputs: LabellingInputs,
        budgets: LabelBudgets,
        embed: Embed = lambda _: None,
        terms: Terms | None = None,
        currency: str = "USD",
        new_fence: Callable[[], str] = lambda: secrets.token_hex(_FENCE_BYTES),
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._models = models
        self._inputs = inputs
        self._budgets = budgets
        self._embed = embed
        self._terms = terms or Terms()
        self._currency = currency
        self._new_fence = new_fence

    def named(self, run: LabelRun, groups: Sequence[GroupToName], step: Callable[[float], None]) -> ModelNames:
        """Return a name for each group; `step` takes the progress, and may end it by raising."""
        try:
            round_ = self._round(run, groups)
        except ModelFailure as failure:
            kept = tuple(NamedGroup.of(one.fallback) for one in groups)
            return ModelNames(names=kept, unnamed={one.cluster_id: failure.message for one in groups})
        questions = list(self._questions(round_, groups))
        first = round_.labelling.answers(questions, lambda done: step(done * _SHARE_OF_FIRST))
        names = {one.cluster_id: _name(one.fallback, first.get(one.cluster_id), round_.plan) for one in groups}
        second = self._told_apart(round_, names, lambda done: step(_SHARE_OF_FIRST + done * (1 - _SHARE_OF_FIRST)))
        self._keep_audits(round_, first, second, names)
        return ModelNames(
            names=tuple(names[one.cluster_id] for one in groups),
            unnamed={one: _reason(first.get(one)) for one, name in names.items() if not name.is_model},
            warnings=(*round_.plan.warnings, *_left_out(round_), *_field_names(round_, names)),
            report=_report(round_, self._currency),
        )

    def prompts(self, run: LabelRun, groups: Sequence[GroupToName]) -> list[LabelPrompt]:
        """Return the questions that naming would begin with; raises `ModelFailure` where no model can be asked."""
        round_ = self._round(run, groups)
        return [one.prompt for one in self._questions(round_, groups)]

    def _round(self, run: LabelRun, groups: Sequence[GroupToName]) -> _Round:
        plan = label_plan(run.labeling)
        if plan.provider is None or plan.model is None:
            plan = self._with_model(plan)
        model = self._models.get(plan.provider or "")
        budget = self._budgets.open(
            namespace_id=run.namespace_id,
            run_id=run.run_id,
            model=plan.model or "",
            kind=kind_of(answer_schema(plan), output_tokens_of(plan)),
            labeling=run.labeling,
        )
        asking = Asking(model=model, call_seconds=self._terms.call_seconds)
        return _Round(
            run=run,
            plan=plan,
            model=model,
            budget=budget,
            labelling=Labelling(asking=asking, budget=budget, estimate=estimate_of, terms=self._terms),
            fence=self._new_fence(),
            groups={one.cluster_id: one for one in groups},
        )

    def _with_model(self, plan: LabelPlan) -> LabelPlan:
        """Choose what the definition leaves open."""
        if plan.provider is not None:
            return replace(plan, model=plan.model or self._models.default_of(plan.provider))
        provider, model = self._models.default()
        return replace(plan, provider=provider, model=model)

    def _questions(self, round_: _Round, groups: Iterable[GroupToName]) -> Iterator[Question]:
        for group in groups:
            documents = self._documents(round_.plan, group)
            shown = self._inputs.shown(round_.plan, round_.model, documents)
            round_.left_out |= dict.fromkeys(shown.left_out)
            round_.fields[group.cluster_id] = frozenset(key for one in documents for key in one.payload)
            round_.shown[group.cluster_id] = shown.documents
            if not any(one.text or one.media for one in shown.documents):
                continue  # documents that are gone, or have nothing of what is mapped
            prompt = write_prompt(round_.plan, documents=shown.documents, fence=round_.fence)
            yield _question(group, prompt, round_.plan)

    def _documents(self, plan: LabelPlan, group: GroupToName) -> list[SampledDocument]:
        """Return the documents that are shown, with their vectors where a mapping wants these."""
        names = [one.path or one.key for one in plan.mappings if one.source == InputSource.VECTOR]
        by_collection: dict[str, list[str]] = {}
        for collection_id, document_id in group.documents:
            by_collection.setdefault(collection_id, []).append(document_id)
        found: dict[tuple[str, str], SampledDocument] = {}
        with self._open_unit_of_work() as uow:
            for collection_id, ids in by_collection.items():
                payloads = uow.collections.payloads(collection_id, ids)
                vectors = uow.collections.vectors(collection_id, ids, names) if names else {}
                for one in payloads:
                    again = partial(self._payload, collection_id, one)
                    document = SampledDocument(payload=payloads[one], read_again=again, vectors=vectors.get(one, {}))
                    found[collection_id, one] = document
        return [found[pair] for pair in group.documents if pair in found]

    def _payload(self, collection_id: str, document_id: str) -> JsonObject:
        """Return the payload of a document as it is now; empty where it is gone."""
        with self._open_unit_of_work(reading=True) as uow:
            return uow.collections.payloads(collection_id, [document_id]).get(document_id, {})

    def _told_apart(
        self, round_: _Round, names: dict[str, NamedGroup], step: Callable[[float], None]
    ) -> dict[str, Outcome]:
        """Ask again for groups whose names mean what a larger group's means; `names` has the new ones afterwards.

        Nothing of the other group is in such a question: only the group's own name and terms of its own.
        """
        plan = round_.plan
        if not plan.tells_apart or plan.candidates:
            return {}
        ours = [one for one in sorted(names, key=lambda one: -round_.groups[one].size) if names[one].is_model]
        likeness = Likeness(threshold=plan.likeness, embed=self._embed)
        later = [ours[at] for _, at in alike_pairs([names[one].label for one in ours], likeness)]
        second = round_.labelling.answers([self._again(round_, one, names[one]) for one in later], step)
        for cluster_id, outcome in second.items():
            if outcome.answer is not None:
                names[cluster_id] = _name(round_.groups[cluster_id].fallback, outcome, plan)
        for cluster_id, label in numbered({one: names[one] for one in ours}, round_.groups).items():
            names[cluster_id] = replace(names[cluster_id], label=label)
        return second

    def _again(self, round_: _Round, cluster_id: str, name: NamedGroup) -> Question:
        group = round_.groups[cluster_id]
        prompt = write_prompt(
            round_.plan,
            documents=round_.shown[cluster_id],
            fence=round_.fence,
            taken=name.label,
            hints=group.fallback.keywords,
        )
        return _question(group, prompt, round_.plan)

    def _keep_audits(
        self,
        round_: _Round,
        first: Mapping[str, Outcome],
        second: Mapping[str, Outcome],
        names: Mapping[str, NamedGroup],
    ) -> None:
        at = self._clock.now()
        audits = [
            LabelAudit(
                namespace_id=round_.run.namespace_id,
                run_id=round_.run.run_id,
                cluster_id=cluster_id,
                provider=round_.plan.provider or "",
                model=round_.plan.model or "",
                label=names[cluster_id].label if names[cluster_id].is_model else None,
                error=outcome.reason,
                questions=tuple(one.as_json() for one in (outcome, second.get(cluster_id)) if one is not None),
                labelled_at=at,
            )
            for cluster_id, outcome in first.items()
        ]
        with self._open_unit_of_work() as uow:
            uow.label_audits.put(audits)
            uow.commit()


def _question(group: GroupToName, prompt: LabelPrompt, plan: LabelPlan) -> Question:
    return Question(cluster_id=group.cluster_id, prompt=prompt, size=group.size, candidates=plan.candidates)


def _reason(outcome: Outcome | None) -> str:
    """Say why a group has no name of the model's."""
    return _NOTHING_SHOWN if outcome is None else outcome.reason or ""


def _name(fallback: GroupName, outcome: Outcome | None, plan: LabelPlan) -> NamedGroup:
    """Return the model's name; what it left out of its answer is that of the distinctive terms."""
    answer = None if outcome is None else outcome.answer
    if answer is None:
        return NamedGroup.of(fallback)
    keywords = fallback.keywords if answer.keywords is None else answer.keywords
    return NamedGroup(
        label=answer.label,
        keywords=keywords if plan.wants_keywords else (),
        summary=(answer.summary or fallback.summary) if plan.wants_summary else None,
        confidence=answer.confidence,
        fields=answer.fields,
        is_model=True,
    )


def _left_out(round_: _Round) -> tuple[str, ...]:
    return tuple(f"llm_labeling left out media: {one}" for one in round_.left_out)


def _field_names(round_: _Round, names: Mapping[str, NamedGroup]) -> tuple[str, ...]:
    """Say where a model named the fields of the documents rather than what is in them."""
    if round_.plan.mappings:
        return ()
    found = [
        one
        for one, name in names.items()
        if name.is_model and repeats_fields(name, round_.fields.get(one, frozenset()))
    ]
    if not found:
        return ()
    said = "repeat names of payload fields: set llm_labeling.labeling_inputs to the fields that hold what they mean"
    return (f"the labels of {', '.join(found)} {said}",)


def _report(round_: _Round, currency: str) -> JsonObject:
    """Return what the names cost, as the run keeps it."""
    asked = {"provider": round_.plan.provider, "model": round_.plan.model}
    return {**asked, **report_as_json(round_.budget.report(), currency)}

"""What names groups by language models, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from shoald.application.labelling import Terms
from shoald.application.labelling_inputs import LabellingInputs
from shoald.application.model_labels import ModelLabels
from shoald.application.unasked_models import UnaskedModels
from shoald.domain.failures import Failure
from shoald.domain.vocabulary import EmbeddingProvider
from shoald.wiring.label_budgets import label_budgets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from shoald.adapters.language_models.configured import ModelSettings
    from shoald.adapters.language_models.openai import ModelEndpoint
    from shoald.application.model_labels import Embed
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.embedder import Embedders
    from shoald.application.ports.language_model import LanguageModels
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.outward_addresses import OutwardAddresses
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.settings import Settings


class Outside(Protocol):
    """What of the outside naming touches; `Adapters` are such."""

    settings: Settings
    clock: Clock
    on_close: ExitStack

    @property
    def open_unit_of_work(self) -> OpenUnitOfWork:
        """Transactions."""
        ...

    @property
    def objects(self) -> ObjectStore:
        """Uploads."""
        ...

    @property
    def outward_addresses(self) -> OutwardAddresses:
        """Where may be connected to."""
        ...

    @property
    def embedders(self) -> Embedders:
        """Who turns names into vectors."""
        ...


def build_model_labels(outside: Outside, *, are_asked: bool = True) -> ModelLabels:
    """Return what asks language models for names, or only writes the questions, which needs no keys."""
    settings, opens = outside.settings, outside.open_unit_of_work
    models = _models(outside)
    return ModelLabels(
        open_unit_of_work=opens,
        clock=outside.clock,
        models=models if are_asked else UnaskedModels(models),
        inputs=LabellingInputs(objects=outside.objects, addresses=outside.outward_addresses),
        budgets=label_budgets(settings, opens, outside.clock),
        embed=_embed(outside),
        terms=Terms(
            run_seconds=settings.label_seconds,
            call_seconds=settings.label_call_seconds,
            at_once=settings.label_calls_at_once,
        ),
        currency=settings.label_currency,
    )


def _embed(outside: Outside) -> Embed:
    """Return the bundled model, which tells which names mean the same; where it is not installed, none do."""

    def embed(labels: Sequence[str]) -> Any:
        try:
            return outside.embedders.get(EmbeddingProvider.LOCAL, None).embed_passages(labels)
        except Failure:
            return None

    return embed


def _models(outside: Outside) -> LanguageModels:
    from shoald.adapters.language_models.configured import ConfiguredLanguageModels

    models = ConfiguredLanguageModels(_settings_of(outside.settings), outside.outward_addresses)
    outside.on_close.callback(models.close)
    return models


def _settings_of(settings: Settings) -> ModelSettings:
    from shoald.adapters.language_models.configured import ModelSettings
    from shoald.adapters.language_models.openai import ModelEndpoint

    google, anthropic = settings.google_api_key, settings.anthropic_api_key
    return ModelSettings(
        openai=_openai(settings),
        google=ModelEndpoint(base_url=settings.google_base_url, api_key=google.get_secret_value() if google else None),
        anthropic=ModelEndpoint(
            base_url=settings.anthropic_base_url, api_key=anthropic.get_secret_value() if anthropic else None
        ),
        default_model=settings.label_model,
    )


def _openai(settings: Settings) -> ModelEndpoint:
    """Return the endpoint of names; the key of one endpoint is never shown to another."""
    from shoald.adapters.language_models.openai import ModelEndpoint

    own = settings.label_openai_base_url
    shared = settings.openai_api_key if own in {None, settings.openai_base_url} else None
    key = settings.label_openai_api_key or shared
    return ModelEndpoint(
        base_url=own or settings.openai_base_url, api_key=key.get_secret_value() if key is not None else None
    )

"""Finds the model to ask by its provider; each is made when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shoald.adapters.language_models import anthropic, google, openai
from shoald.adapters.language_models.media_fetching import MediaFetching
from shoald.adapters.language_models.openai import ModelEndpoint
from shoald.application.ports.language_model import LanguageModel, ModelFailure, NoAnswerBecause
from shoald.application.ports.outward_addresses import OutwardAddresses
from shoald.domain.labelling.label_plan import DEFAULT_MODELS, provider_of
from shoald.domain.vocabulary import LabelProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Where each provider is and with which key; `default_model` is asked where a definition names none.

    A provider without a key is not asked, but for an OpenAI-compatible endpoint of one's own, which may need none.
    """

    openai: ModelEndpoint
    google: ModelEndpoint
    anthropic: ModelEndpoint
    default_model: str | None = None


class ConfiguredLanguageModels:
    """`LanguageModels` as the settings say."""

    def __init__(self, settings: ModelSettings, addresses: OutwardAddresses) -> None:
        self._settings = settings
        self._media = MediaFetching(addresses)
        self._lock = threading.Lock()
        self._made: dict[str, LanguageModel] = {}
        self._close: list[Callable[[], None]] = []

    def get(self, provider: str) -> LanguageModel:
        """Return it."""
        if not self._can_ask(provider):
            message = f"no key for the provider {provider} is set: {_SETTINGS.get(provider, 'there is none')}"
            raise ModelFailure(NoAnswerBecause.KEY_REFUSED, message)
        with self._lock:
            if provider not in self._made:
                self._made[provider] = self._new(provider)
            return self._made[provider]

    def default_of(self, provider: str) -> str:
        """Return the setting's model where it is this provider's, else a small one of the provider's own."""
        model = self._settings.default_model
        return (
            model if model is not None and provider_of(model) == provider else DEFAULT_MODELS[LabelProvider(provider)]
        )

    def default(self) -> tuple[str, str]:
        """Return the setting's model, else that of the first provider with a key."""
        model = self._settings.default_model
        if model is not None:
            return provider_of(model) or LabelProvider.OPENAI.value, model
        found = next(((one, name) for one, name in DEFAULT_MODELS.items() if self._can_ask(one)), None)
        if found is None:
            message = f"no language model is configured: set {', '.join(_SETTINGS.values())}"
            raise ModelFailure(NoAnswerBecause.KEY_REFUSED, message)
        return found[0].value, found[1]

    def close(self) -> None:
        """Close the connections to providers."""
        with self._lock:
            for close in self._close:
                close()

    def _can_ask(self, provider: str) -> bool:
        endpoints = self._endpoints()
        if provider not in endpoints:
            return False
        own = provider == LabelProvider.OPENAI and endpoints[provider].base_url.rstrip("/") != openai.DEFAULT_URL
        return own or bool(endpoints[provider].api_key)

    def _endpoints(self) -> Mapping[str, ModelEndpoint]:
        settings = self._settings
        return {
            LabelProvider.OPENAI: settings.openai,
            LabelProvider.GOOGLE: settings.google,
            LabelProvider.ANTHROPIC: settings.anthropic,
        }

    def _new(self, provider: str) -> LanguageModel:
        endpoint, media = self._endpoints()[provider], self._media
        made: openai.OpenAIModel | google.GoogleModel | anthropic.AnthropicModel
        if provider == LabelProvider.OPENAI:
            made = openai.OpenAIModel(endpoint, media)
        else:
            kind = google.GoogleModel if provider == LabelProvider.GOOGLE else anthropic.AnthropicModel
            made = kind(base_url=endpoint.base_url, api_key=endpoint.api_key or "", media=media)
        self._close.append(made.close)
        return made


_SETTINGS: Mapping[str, str] = {
    LabelProvider.OPENAI: "SHOAL_OPENAI_API_KEY",
    LabelProvider.GOOGLE: "SHOAL_GOOGLE_API_KEY",
    LabelProvider.ANTHROPIC: "SHOAL_ANTHROPIC_API_KEY",
}

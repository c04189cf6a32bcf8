"""Language models as an estimate sees them: questions are written for them, nobody is asked, no key is needed."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.application.ports.language_model import (
    LanguageModel,
    LanguageModels,
    ModelAnswer,
    ModelFailure,
    NoAnswerBecause,
)
from shoald.domain.labelling.prompts import LabelPrompt, PartKind

_EVERYTHING = frozenset(PartKind)


@dataclass(frozen=True, slots=True)
class UnaskedModel:
    """`LanguageModel` that takes whatever it is shown, and answers nothing."""

    takes: frozenset[PartKind] = _EVERYTHING
    fetches: frozenset[PartKind] = _EVERYTHING

    def ask(self, prompt: LabelPrompt, *, timeout_seconds: float) -> ModelAnswer:
        """Raise `ModelFailure`."""
        message = f"{prompt.model} is estimated and not asked, whatever the time ({timeout_seconds:g} s)"
        raise ModelFailure(NoAnswerBecause.REQUEST_REFUSED, message)


@dataclass(frozen=True, slots=True)
class UnaskedModels:
    """`LanguageModels` for estimates: those of the installation, and others by what they are called."""

    models: LanguageModels

    def get(self, provider: str) -> LanguageModel:
        """Return the model that would be asked, else one that nobody can ask."""
        try:
            return self.models.get(provider)
        except ModelFailure:
            return UnaskedModel()

    def default_of(self, provider: str) -> str:
        """Return the model that would be asked."""
        return self.models.default_of(provider)

    def default(self) -> tuple[str, str]:
        """Return what would be asked; raises `ModelFailure` where nobody would be."""
        return self.models.default()

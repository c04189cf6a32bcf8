"""Language models that name groups: one question goes in, the text of the answer and what it cost come out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shoald.domain.labelling.prompts import LabelPrompt, PartKind

LONGEST_ANSWER = 100_000
"""Characters that an answer may have; nobody's name is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """What a model said, as it said it, cut after one character more than `LONGEST_ANSWER`: that shows it was too long.

    Tokens are the provider's own count; None where it gives none. `model` is the one that answered.
    """

    text: str
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None


class NoAnswerBecause(StrEnum):
    """Why a model did not answer."""

    KEY_REFUSED = "key_refused"
    """The provider does not know the key, does not let it use the model, or none is set."""
    REQUEST_REFUSED = "request_refused"
    """It does not take the question: it does not know the model, or a parameter."""
    TOO_LONG = "too_long"
    """The question is more than the model takes."""
    RATE_LIMITED = "rate_limited"
    """It asks for patience."""
    TIMED_OUT = "timed_out"
    """There was no whole answer in the time that was given."""
    UNREACHABLE = "unreachable"
    """It cannot be connected to, broke off, or has an error of its own."""
    NOTHING_SAID = "nothing_said"
    """The model declined, or what came is no answer of this provider."""


_FINAL = frozenset({NoAnswerBecause.KEY_REFUSED, NoAnswerBecause.REQUEST_REFUSED, NoAnswerBecause.TOO_LONG})


class ModelFailure(Exception):  # noqa: N818 - it says what is the case
    """A model did not answer; the message holds neither keys nor what the provider said.

    `retry_after_seconds` is what a provider that limits us asks for, None where it does not say.
    """

    def __init__(self, kind: NoAnswerBecause, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def may_pass(self) -> bool:
        """Whether asking again may help."""
        return self.kind not in _FINAL

    @property
    def is_general(self) -> bool:
        """Whether no other question would be answered either."""
        return self.kind is NoAnswerBecause.KEY_REFUSED


class LanguageModel(Protocol):
    """Answers questions about groups; may be asked from several threads at once."""

    @property
    def takes(self) -> frozenset[PartKind]:
        """The media that it takes beside words."""
        ...

    @property
    def fetches(self) -> frozenset[PartKind]:
        """Those of them that the provider fetches itself when it is given a link; others go as bytes."""
        ...

    def ask(self, prompt: LabelPrompt, *, timeout_seconds: float) -> ModelAnswer:
        """Ask once, without trying again; raises `ModelFailure`.

        The time, at least 0.1 s, bounds all of it, a slowly dripping answer included; one that falls silent in its
        midst may take as long again.
        """
        ...


class LanguageModels(Protocol):
    """Finds the model to ask by the documented `provider`."""

    def get(self, provider: str) -> LanguageModel:
        """Return the one of `openai`, `google` or `anthropic`; raises `ModelFailure` where no key is set for it."""
        ...

    def default_of(self, provider: str) -> str:
        """Return the model of a provider that is asked where a definition names none."""
        ...

    def default(self) -> tuple[str, str]:
        """Return the provider and the model that are asked where a definition names neither.

        Raises `ModelFailure` where no provider has a key.
        """
        ...

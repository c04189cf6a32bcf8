"""One question goes in; what came of asking it, known answers, limits and bad answers included, comes out."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shoald.application.ports.label_ledger import CallEstimate, KnownAnswer, LabelBudget
from shoald.application.ports.language_model import (
    LONGEST_ANSWER,
    LanguageModel,
    ModelAnswer,
    ModelFailure,
    NoAnswerBecause,
)
from shoald.domain.labelling.answers import BadAnswer, GroupAnswer, read_answer
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart

TRIES = 3
"""Calls for one question; the answer to the last one counts as it is."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_LEAST_SECONDS = 0.1
_KEPT_OF_ANSWER = 20_000
_COSTS_NOTHING = frozenset(
    {
        NoAnswerBecause.KEY_REFUSED,
        NoAnswerBecause.REQUEST_REFUSED,
        NoAnswerBecause.RATE_LIMITED,
        NoAnswerBecause.TOO_LONG,
    }
)
_ANSWERED, _BAD = "answered", "bad_answer"
_AGAIN = "The answer before this one could not be used: {reason}. Answer with the JSON object alone."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call: `outcome` is `answered`, `bad_answer` or a kind of `NoAnswerBecause`, `answer` is what was said."""

    outcome: str
    seconds: float
    message: str | None = None
    answer: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {name: getattr(self, name) for name in self.__slots__ if getattr(self, name) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a question: an answer, or the reason why there is none, and every attempt.

    `cached` is the answer that was known. `was_unanswered` says that the model did not speak, `is_general` that it
    will not answer other questions either.
    """

    prompt: LabelPrompt
    answer: GroupAnswer | None = None
    reason: str | None = None
    attempts: tuple[Attempt, ...] = ()
    cached: str | None = None
    was_unanswered: bool = False
    is_general: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the question as it was shown and what was said, as it is kept."""
        prompt = self.prompt
        shown: dict[str, Any] = {
            "system": prompt.system,
            "parts": [part.as_json() for part in prompt.parts],
            "parameters": dict(prompt.parameters),
            "max_output_tokens": prompt.max_output_tokens,
            "content_hash": prompt.content_hash,
            "attempts": [one.as_json() for one in self.attempts],
        }
        return shown if self.cached is None else {**shown, "cached_answer": self.cached[:_KEPT_OF_ANSWER]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """When to give up: at the moment `ends` of the monotonic clock, or when the event is set, for the reason `why`."""

    event: threading.Event
    ends: float
    why: Callable[[], str]

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic()

    def reason(self) -> str | None:
        """Say why to give up now, None to go on."""
        if self.event.is_set():
            return self.why()
        return "the time for names was over" if self.left < _LEAST_SECONDS else None


@dataclass(slots=True)
class _Tries:
    """The calls for one question so far. `spare` is what came before an answer was cut off; the last one counts."""

    prompt: LabelPrompt
    candidates: Sequence[str]
    attempts: list[Attempt] = field(default_factory=list)
    answer: GroupAnswer | None = None
    spare: GroupAnswer | None = None
    reason: str = ""
    is_general: bool = False

    def refused(self, why: str) -> None:
        """Note that there may be no further call."""
        self.reason = f"{self._why()}; then {why}" if self.attempts else why

    def is_answered(self, attempt: Attempt) -> bool:
        """Note what was said, and say whether it is a whole answer."""
        try:
            found = read_answer(attempt.answer or "", self.prompt.json_schema, candidates=self.candidates)
            self.reason = "the answer was cut off"
        except BadAnswer as bad:
            found, self.reason = None, str(bad)
        if found is None and len(attempt.answer or "") > LONGEST_ANSWER:
            self.reason = f"the answer had more than {LONGEST_ANSWER} characters"
        if found is not None and not found.is_partial:
            self.answer = found
            self.attempts.append(attempt)
            return True
        self.spare = found or self.spare
        self.attempts.append(replace(attempt, outcome=_BAD, message=self.reason))
        return False

    def has_failed(self, attempt: Attempt, failure: ModelFailure) -> bool:
        """Note that nothing was said, and say whether that is final."""
        self.attempts.append(attempt)
        self.reason, self.is_general = failure.message, failure.is_general
        return not failure.may_pass

    def outcome(self) -> Outcome:
        """Return what came of all calls."""
        answer = self.answer or self.spare
        cut = (replace(one, answer=one.answer and one.answer[:_KEPT_OF_ANSWER]) for one in self.attempts)
        return Outcome(
            prompt=self.prompt,
            answer=answer,
            reason=None if answer else self._why(),
            attempts=tuple(cut),
            was_unanswered=self._says_of_others(),
            is_general=self.is_general,
        )

    def _says_of_others(self) -> bool:
        """Whether nothing was said, and that not for what this question is: too long, or with media that are gone."""
        kinds = [one.outcome for one in self.attempts]
        has_media = any(part.kind is not PartKind.TEXT for part in self.prompt.parts)
        own = {NoAnswerBecause.TOO_LONG, *((NoAnswerBecause.REQUEST_REFUSED,) if has_media else ())}
        return bool(kinds) and kinds[-1] not in own and not {_ANSWERED, _BAD} & {*kinds}

    def _why(self) -> str:
        is_said = len(self.attempts) <= 1 or self.is_general or "attempts)" in self.reason
        return self.reason if is_said else f"{self.reason} ({len(self.attempts)} attempts)"


@dataclass(slots=True)
class Asking:
    """Asks one model. Whoever is told to wait lets all wait: a limit is the key's, not the question's."""

    model: LanguageModel
    call_seconds: float
    first_pause: float = _FIRST_PAUSE
    _not_before: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self,
        prompt: LabelPrompt,
        estimate: CallEstimate,
        budget: LabelBudget,
        *,
        stopped: Stopped,
        candidates: Sequence[str] = (),
    ) -> Outcome:
        """Return the known answer, or that of the model, after up to three tries within the budget."""
        known = self._known(prompt, budget, candidates)
        if known is not None:
            return known
        tries = _Tries(prompt=prompt, candidates=candidates)
        for tried in range(1, TRIES + 1):
            refusal = stopped.reason() or self._waited(stopped) or budget.allow(estimate)
            if refusal is not None:
                tries.refused(refusal)
                break
            attempt, failure = self._once(_again(prompt, tries.attempts), estimate, budget, stopped)
            if failure is None:
                if tries.is_answered(attempt):
                    self._keep(prompt, attempt, budget)
                    break
            elif tries.has_failed(attempt, failure) or not self._pause(failure, tried, stopped):
                break
        return tries.outcome()

    def _known(self, prompt: LabelPrompt, budget: LabelBudget, candidates: Sequence[str]) -> Outcome | None:
        known = budget.known(prompt.content_hash)
        if known is None:
            return None
        try:
            answer = read_answer(known.text, prompt.json_schema, candidates=candidates)
        except BadAnswer:  # by the rules of an earlier version it was good
            return None
        return Outcome(prompt=prompt, answer=answer, cached=known.text)

    def _once(
        self, prompt: LabelPrompt, estimate: CallEstimate, budget: LabelBudget, stopped: Stopped
    ) -> tuple[Attempt, ModelFailure | None]:
        """Ask once and book it, whatever came of it."""
        began = time.monotonic()
        seconds = max(_LEAST_SECONDS, min(self.call_seconds, stopped.left))
        try:
            said = self.model.ask(prompt, timeout_seconds=seconds)
        except ModelFailure as failure:
            free = 0 if failure.kind in _COSTS_NOTHING else None
            budget.book(estimate, input_tokens=free, output_tokens=free)
            took = time.monotonic() - began
            return Attempt(outcome=failure.kind.value, seconds=took, message=failure.message), failure
        except BaseException:
            budget.book(estimate, input_tokens=None, output_tokens=None)
            raise
        budget.book(estimate, input_tokens=said.input_tokens, output_tokens=said.output_tokens)
        return _answered(said, time.monotonic() - began), None

    def _keep(self, prompt: LabelPrompt, attempt: Attempt, budget: LabelBudget) -> None:
        known = KnownAnswer(
            text=attempt.answer or "",
            model=attempt.model or prompt.model,
            input_tokens=attempt.input_tokens or 0,
            output_tokens=attempt.output_tokens or 0,
        )
        budget.keep(prompt.content_hash, known)

    def _waited(self, stopped: Stopped) -> str | None:
        """Wait as long as anybody was told to; says why to give up instead."""
        while (pause := self._not_before - time.monotonic()) > 0:
            if pause > stopped.left:
                return "the provider asks to wait longer than there is time"
            if stopped.event.wait(min(pause, 1.0)):
                return stopped.why()
        return None

    def _pause(self, failure: ModelFailure, tried: int, stopped: Stopped) -> bool:
        """Say whether there is time to try again, and remember until when to wait."""
        grown = self.first_pause * 2 ** (tried - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        pause = grown if failure.retry_after_seconds is None else failure.retry_after_seconds
        if tried == TRIES or pause > min(_LONGEST_PAUSE, stopped.left):
            return False
        if failure.kind is NoAnswerBecause.RATE_LIMITED:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + pause)
            return True
        return not stopped.event.wait(pause)


def _again(prompt: LabelPrompt, attempts: Sequence[Attempt]) -> LabelPrompt:
    """Say what was wrong with the answer before, in our own words: nothing of what was said is in them."""
    bad = next((one.message for one in reversed(attempts) if one.outcome == _BAD), None)
    return prompt if bad is None else prompt.with_parts(PromptPart(text=_AGAIN.format(reason=bad)))


def _answered(said: ModelAnswer, seconds: float) -> Attempt:
    return Attempt(
        outcome=_ANSWERED,
        seconds=seconds,
        answer=said.text,
        model=said.model,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
    )

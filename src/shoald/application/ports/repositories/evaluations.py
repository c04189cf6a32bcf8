"""What the use cases ask of stored evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shoald.domain.records.evaluation import Evaluation, Questions


class EvaluationRepository(Protocol):
    """Stored evaluations; reads see those in projects of the namespace."""

    def add(self, evaluation: Evaluation, questions: Questions) -> None:
        """Store a new evaluation with its questions."""
        ...

    def get(self, evaluation_id: str, *, namespace_id: str) -> Evaluation | None:
        """Return an evaluation."""
        ...

    def questions(self, evaluation_id: str) -> Questions:
        """Return the questions of an evaluation that exists, in their order."""
        ...

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[Evaluation]:
        """Return the evaluations of a project, newest first, ties by id."""
        ...

    def set_status(self, evaluation_id: str, status: str, *, error_message: str | None, at: datetime) -> None:
        """Store the state of an evaluation and why it failed."""
        ...

    def publish(self, evaluation: Evaluation) -> bool:
        """Store state, results and URI; say whether the evaluation was still there."""
        ...

    def delete(self, evaluation_id: str) -> bool:
        """Remove an evaluation; say whether there was one."""
        ...

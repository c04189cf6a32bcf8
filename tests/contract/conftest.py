"""Quiet logs: calls of the servers in this process would print a line each, after pytest has stopped to listen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(
        logger_factory=structlog.ReturnLoggerFactory(), wrapper_class=structlog.make_filtering_bound_logger(50)
    )
    yield
    structlog.reset_defaults()

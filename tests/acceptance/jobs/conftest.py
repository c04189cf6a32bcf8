"""One site for all trials of jobs; each test leaves a worker and a scheduler running for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.trial.site import Site, site


@pytest.fixture(scope="session")
def trial_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """PostgreSQL, Valkey, and what the tests start on them."""
    with site(tmp_path_factory.mktemp("trial"), SHOAL_WORKER_MEMORY_MIB="2048") as made:
        yield made


@pytest.fixture
def place(trial_site: Site) -> Iterator[Site]:
    """The site with one warm worker and one scheduler; its invariants are checked after each test."""
    trial_site.ensure("worker", "scheduler")
    yield trial_site
    trial_site.wait_while_jobs_end(trial_site.accepted)
    assert trial_site.broken_invariants() == {}

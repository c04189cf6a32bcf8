"""The same golden files without Envoy: our own code makes the documented JSON, and needs no proxy to be right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.golden_files import GoldenCase, all_cases, known_different
from contract.in_process import AnsweredByEnvoy, InProcess
from contract.player import Player
from shoald.application.jobs import Jobs
from shoald.domain.records.job import Job
from shoald.settings import Settings
from shoald.wiring import Adapters, build_application
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration


# what a worker does: no worker runs here
NEEDS_A_WORKER = re.compile(r"/(builds|execute)\b")


def is_for_here(case: GoldenCase) -> bool:
    """Say whether a case can be played here: JSON alone, and nothing to wait for."""
    paths = [step.get("request", {}).get("path", "") for step in case.steps]
    waits = any("within_seconds" in step for step in case.steps) or any(map(NEEDS_A_WORKER.search, paths))
    return case.only is None and not waits and all(paths)


CASES = [case for case in all_cases() if is_for_here(case) and case.name not in known_different()]


def do_at_once(jobs: Jobs, job: Job) -> None:
    """Do in this process what would go to a worker."""
    jobs.runner.run(job.job_id, dispatch=True)


@pytest.fixture(scope="module")
def in_process(
    database_maker: DatabaseMaker, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    url = database_maker.make()
    data = tmp_path_factory.mktemp("data")
    adapters = Adapters(
        Settings(database_url=url, redis_url=redis_url, data_dir=Path(data), signing_secret=SecretStr("s" * 32))
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Jobs, "dispatch", do_at_once)
            yield InProcess(build_application(adapters))
    finally:
        adapters.close()
        database_maker.drop(url)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_answers_are_as_documented(case: GoldenCase, in_process: InProcess) -> None:
    try:
        Player(in_process.send, None).play(case)
    except AnsweredByEnvoy as reason:
        pytest.skip(str(reason))

"""Every golden file, through a real Envoy in front of a whole installation."""

from __future__ import annotations

import grpc
import pytest

from contract.golden_files import GoldenCase, all_cases, known_different
from contract.matching import Mismatch
from contract.player import Player, http_sender
from support.stack import Stack

pytestmark = pytest.mark.acceptance

CASES = [case for case in all_cases() if case.is_for_all]
DIFFERENT = known_different()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_answers_are_as_documented(case: GoldenCase, shoal_up: Stack) -> None:
    with grpc.insecure_channel(shoal_up.address) as channel:
        player = Player(http_sender(shoal_up.url), channel)
        if case.name not in DIFFERENT:
            player.play(case)
            return
        with pytest.raises(Mismatch):
            player.play(case)


def test_known_differences_name_files_that_exist() -> None:
    assert set(DIFFERENT) <= {case.name for case in CASES}
    assert all(reason.strip() for reason in DIFFERENT.values())

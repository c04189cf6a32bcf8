"""The table of groups shows texts as they are, whatever they look like to the library that draws it."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.cli import demo_report
from shoald.cli.rest_client import RestClient


class OneGroup(RestClient):
    """Answers with one group of one member, whose text has brackets."""

    def __init__(self) -> None:
        pass

    def get(self, path: str, **params: Any) -> Any:
        del params
        if "/documents/" in path:
            return {"content": "copy: copy [/to] [bold]"}
        representative = {"collection_id": "c", "document_id": "d"}
        group = {"cluster_id": "cl_0", "label": "[files]", "num_members": 7, "mean_cosine_similarity": 0.5}
        return {
            "num_clusters": 1,
            "num_points": 7,
            "centroids": [group | {"representative_ids": [representative]}],
            "metrics": {"noise_ratio": 0.25},
        }


def test_brackets_in_names_and_members_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    demo_report.groups(OneGroup(), "k", "r")
    shown = capsys.readouterr().out
    assert "copy: copy [/to] [bold]" in shown
    assert "[files]" in shown
    assert "1 groups of 7 chunks" in shown
    assert "Quality: noise_ratio 0.250" in shown

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shoald.cli.ingesting import Recipe, build_index, upload_and_segment
from shoald.cli.rest_client import RestClient, RestError


class Refusing(RestClient):
    """Takes no upload and is interrupted wherever it reads."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.posted: list[str] = []

    def get(self, path: str, **params: Any) -> Any:
        raise KeyboardInterrupt

    def post(self, path: str, body: Any = None) -> Any:
        self.posted.append(path)
        return {"job_id": "j1", "build": {"build_id": "b1"}}

    def upload(self, path: str, file: Path, *, content_type: str) -> Any:
        raise RestError("400: no")


def test_ctrl_c_cancels_the_build_that_is_waited_for() -> None:
    with Refusing() as client:
        with pytest.raises(KeyboardInterrupt):
            build_index(client, "i1", "c1", lambda fraction, message="": None)
        assert client.posted == ["/api/v1/indexes/i1/builds", "/api/v1/jobs/j1/cancel"]


def test_the_first_file_that_fails_is_named(tmp_path: Path) -> None:
    with Refusing() as client:
        with pytest.raises(RestError, match=r"file\d+\.txt: 400: no"):
            upload_and_segment(
                client,
                "p1",
                [tmp_path / f"file{i}.txt" for i in range(4)],
                Recipe(),
                lambda fraction, message="": None,
            )

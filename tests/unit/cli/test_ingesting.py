from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from shoald.cli.ingesting import Recipe, build_index, upload_and_segment
from shoald.cli.rest_client import RestClient, RestError


def test_ctrl_c_cancels_the_build_that_is_waited_for() -> None:
    client = Mock(spec=RestClient)
    client.post.return_value = {"job_id": "j1", "build": {"build_id": "b1"}}
    client.get.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        build_index(client, "i1", "c1", Mock())
    client.post.assert_called_with("/api/v1/jobs/j1/cancel")


def test_the_file_that_fails_is_named(tmp_path: Path) -> None:
    client = Mock(spec=RestClient)
    client.upload.side_effect = RestError("400: no")
    with pytest.raises(RestError, match=r"notes\.txt: 400: no"):
        upload_and_segment(client, "p1", [tmp_path / "notes.txt"], Recipe(), Mock())

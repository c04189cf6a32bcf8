from __future__ import annotations

from unittest.mock import Mock

import pytest

from shoald.cli.ingesting import build_index
from shoald.cli.rest_client import RestClient


def test_ctrl_c_cancels_the_build_that_is_waited_for() -> None:
    client = Mock(spec=RestClient)
    client.post.return_value = {"job_id": "j1", "build": {"build_id": "b1"}}
    client.get.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        build_index(client, "i1", "c1", Mock())
    client.post.assert_called_with("/api/v1/jobs/j1/cancel")

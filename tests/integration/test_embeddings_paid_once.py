"""A build that is killed pays again for nothing but the request that it was waiting for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import numpy as np
import pytest

from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application.embedding import EmbedTexts
from support.fakes.openai_server import Reply, openai_server

pytestmark = pytest.mark.integration
_TEXTS = [f"paid text {number}" for number in range(1_200)]
_BUILDER = """
import sys
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application.embedding import EmbedTexts
embedder = OpenAIEmbedder(OpenAIEndpoint(base_url=sys.argv[1], api_key="k"), "m")
texts = [f"paid text {number}" for number in range(1_200)]
EmbedTexts(open_unit_of_work=PostgresUnitsOfWork(make_engine(sys.argv[2]))).embed(embedder, texts, count=1_200)
"""


def test_what_was_paid_for_is_not_paid_for_again(postgres_database: str) -> None:
    with openai_server() as server:
        # the first asks for the dimension, three are answered, the fourth is being waited for
        server.script.extend([Reply(), Reply(), Reply(), Reply(), Reply(delay_seconds=3)])
        builder = subprocess.Popen([sys.executable, "-c", _BUILDER, server.base_url, postgres_database])
        ends = time.monotonic() + 60
        while len(server.requests) < 5:
            assert builder.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.01)
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        engine = make_engine(postgres_database)
        with closing(OpenAIEmbedder(OpenAIEndpoint(base_url=server.base_url, api_key="k"), "m")) as embedder:
            use_case = EmbedTexts(open_unit_of_work=PostgresUnitsOfWork(engine))
            embedded = use_case.embed(embedder, _TEXTS, count=1_200)
        engine.dispose()
        np.testing.assert_allclose(embedded.vectors, MockEmbedder().embed_passages(_TEXTS), atol=1e-6)
        paid = Counter(text for request in server.requests for text in request["input"])
    assert embedded.reused == 3 * 256
    assert [number for number, text in enumerate(_TEXTS) if paid[text] == 2] == list(range(3 * 256, 4 * 256))
    assert {paid[text] for text in _TEXTS} == {1, 2}

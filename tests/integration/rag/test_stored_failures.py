"""Documented failures that no request brings about by itself: what is stored is gone, or an endpoint answers badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contract.in_process import InProcess
from shoald.domain.failures import InvalidIndexConfig
from shoald.domain.records.index import IndexBuild
from shoald.settings import Settings
from shoald.wiring import Adapters, build_application
from support.fakes.openai_server import OpenAIServer, Reply, openai_server
from support.rag_path import RagPath

pytestmark = pytest.mark.integration


@pytest.fixture
def endpoint() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
def path(postgres_database: str, redis_url: str, data_dir: Path, endpoint: OpenAIServer) -> Iterator[RagPath]:
    settings = Settings(
        database_url=postgres_database,
        redis_url=redis_url,
        data_dir=data_dir,
        openai_base_url=endpoint.base_url,
        openai_api_key=SecretStr("k"),
    )
    adapters = Adapters(settings)
    use_cases = build_application(adapters)
    caller = use_cases.access.caller()
    project = use_cases.projects.create(caller, name="Docs", description=None, settings=None)
    yield RagPath(adapters, use_cases, caller, project)
    adapters.close()


def answered(path: RagPath, build: IndexBuild) -> tuple[int, dict[str, Any]]:
    """Search a build as a JSON client does and return status and error."""
    body = {
        "query": "cat",
        "target": "index_build",
        "target_id": build.build_id,
        "strategy": {"type": "vector", "k": 1},
    }
    url = f"/api/v1/projects/{path.project.project_id}/retrieve"
    answer = InProcess(path.use_cases).send(
        "POST", url, {"content-type": "application/json"}, json.dumps(body).encode()
    )
    return answer.status, json.loads(answer.body)


def test_a_build_whose_faiss_file_is_gone_says_so(path: RagPath) -> None:
    build = path.build(path.index(), path.chunk(path.texts("the cat sat")))
    key = build.manifest["object"]["key"]
    path.adapters.objects.delete(key)
    detail = {
        "code": "missing_faiss_artifact",
        "message": "The FAISS file of this build is missing or damaged.",
        "detail": {"key": key},
        "hint": None,
    }
    assert answered(path, build) == (500, {"detail": detail})


def test_an_embedder_that_returns_nothing_is_named(path: RagPath, endpoint: OpenAIServer) -> None:
    index = path.index(config={"embedding_provider": "openai"})
    build = path.build(index, path.chunk(path.texts("the cat sat")))
    endpoint.script.append(Reply(body=b'{"object": "list", "data": [], "model": "m"}'))
    status, body = answered(path, build)
    assert (status, body["detail"]["code"]) == (500, "embedding_failure")
    assert sorted(body["detail"]) == ["code", "detail", "hint", "message"]
    assert answered(path, build)[0] == 200


def test_an_embedder_that_is_away_can_be_asked_again(path: RagPath, endpoint: OpenAIServer) -> None:
    index = path.index(config={"embedding_provider": "openai"})
    build = path.build(index, path.chunk(path.texts("the cat sat")))
    endpoint.script.extend([Reply(status=500, headers={"retry-after": "0"})] * 4)
    status, body = answered(path, build)
    assert (status, body["detail"]["code"]) == (503, "unavailable")


def test_a_wrong_option_is_told_before_anything_is_embedded(path: RagPath, endpoint: OpenAIServer) -> None:
    index = path.index(config={"embedding_provider": "openai", "exact": "yes"})
    with pytest.raises(InvalidIndexConfig, match=r"config\.exact must be true or false"):
        path.build(index, path.chunk(path.texts("the cat sat")))
    assert endpoint.requests == []

"""Keys through a real Envoy: who has none, or one that does not allow a call, hears so in the form of each API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha import reflection_pb2_grpc as reflection_stubs
from pydantic import SecretStr
from shoal.rag.v1 import job_service_pb2, job_service_pb2_grpc, project_service_pb2, project_service_pb2_grpc

from contract.golden_files import GoldenCase, all_cases
from contract.player import Player, http_sender
from shoald.application.access import Caller
from shoald.application.keys import Keys, NewKey
from shoald.domain.keys import new_key
from shoald.settings import Settings
from shoald.transport.servicers.registration import add_servicers
from shoald.wiring import Adapters, build_application
from support.cluster_world import NO_REDIS
from support.edge_stack import Edge, running_edge
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration

_REFLECTION: Any = reflection_stubs  # its generated code has no types
CASES = {case.name: case for case in all_cases() if case.only == "keys"}
RAG_401, CLUSTERS_401 = (
    CASES[name].steps[0]["response"]["body"] for name in ("rag/create_project.key", "clusters/create_cluster.key")
)


@dataclass(frozen=True)
class House:
    """An edge with keys on, and who makes them."""

    edge: Edge
    keys: Keys
    url: str

    def key(self, *scopes: str, **bound: Any) -> str:
        return self.keys.create(NewKey(name="trial", scopes=scopes, **bound))[1]

    def json(self, key: str | None, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        shown = {} if key is None else {"authorization": f"Bearer {key}"}
        return self.edge.json(method, path, body, content_type="application/json", **shown, **headers)


@pytest.fixture(scope="module")
def house(database_maker: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    url, folder = database_maker.make(), tmp_path_factory.mktemp("edge")
    settings = Settings(
        database_url=url,
        redis_url=NO_REDIS,
        data_dir=Path(folder),
        signing_secret=SecretStr("s" * 32),
        require_keys=True,
    )
    adapters = Adapters(settings, is_server=True)
    use_cases = build_application(adapters)
    with running_edge(folder, add_servicers(use_cases), access=use_cases.access) as edge:
        yield House(edge, Keys(open_unit_of_work=adapters.open_as_system, clock=adapters.clock), url)
    adapters.close()
    database_maker.drop(url)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/projects", RAG_401),
        ("POST", "/api/v1/projects", RAG_401),
        ("GET", "/api/v1/admin/jobs", RAG_401),
        ("POST", "/api/v1/projects/p/documents", RAG_401),
        ("GET", "/api/v1/segment_sets/s", RAG_401),
        ("GET", "/v1/namespaces", CLUSTERS_401),
        ("POST", "/v1/clusters/list", CLUSTERS_401),
        ("GET", "/v1/clusters/c/executions/run_1/artifacts", CLUSTERS_401),
    ],
)
def test_who_has_no_key_is_told_so_before_anything_else(house: House, method: str, path: str, expected: Any) -> None:
    assert house.json(None, method, path, {} if method == "POST" else None) == (401, expected)


@pytest.mark.parametrize(
    "shown", ["Bearer sk_local", "Basic dXNlcjpwYXNz", "Bearer " + new_key()[1]], ids=["sk", "basic", "new"]
)
def test_what_is_no_key_of_ours_opens_nothing(house: House, shown: str) -> None:
    status, body = house.edge.json("GET", "/v1/clusters", authorization=shown)
    assert (status, body["error"]["type"]) == (401, "UnauthorizedError")
    assert shown not in json.dumps(body)


def test_what_tells_nothing_of_anybody_needs_no_key(house: House) -> None:
    assert house.json(None, "GET", "/health")[0] == 200
    assert house.json(None, "GET", "/")[0] == 200
    assert house.json(None, "GET", "/v1/files/no-such-token")[0] == 404


def test_a_key_for_reading_changes_nothing(house: House) -> None:
    reading, writing = house.key("read"), house.key("read", "write")
    assert house.json(writing, "POST", "/api/v1/projects", {"name": "Docs"})[0] == 200
    assert house.json(reading, "GET", "/api/v1/projects")[1][0]["name"] == "Docs"
    assert house.json(reading, "POST", "/api/v1/projects", {"name": "x"})[0] == 403


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_answers_to_keys_are_as_documented(house: House, case: GoldenCase) -> None:
    keys = {"reading_key": house.key("read"), "writing_key": house.key("read", "write")}
    Player(http_sender(house.edge.url), None, keys).play(case)


def test_the_jobs_of_all_projects_need_admin(house: House) -> None:
    status, body = house.json(house.key("read", "write"), "GET", "/api/v1/admin/jobs")
    assert (status, body["detail"]["detail"]["scope"]) == (403, "admin")
    assert house.json(house.key("admin"), "GET", "/api/v1/admin/jobs") == (200, [])


def test_a_key_of_a_namespace_sees_no_other(house: House) -> None:
    admin = house.key("admin")
    for name in ("north", "south"):
        assert house.json(admin, "POST", "/v1/namespaces", {"namespace_name": name})[0] == 200
    bound = house.key("read", "write", namespaces=["north"])
    assert house.json(bound, "POST", "/api/v1/projects", {"name": "of the north"})[0] == 200
    assert house.json(admin, "GET", "/api/v1/projects", x_namespace="south") == (200, [])
    (project,) = house.json(admin, "GET", "/api/v1/projects", x_namespace="north")[1]
    assert project["name"] == "of the north"
    for path in ("/api/v1/projects", "/v1/clusters", "/v1/collections"):
        foreign = house.json(bound, "GET", path, x_namespace="south")
        absent = house.json(bound, "GET", path, x_namespace="nowhere")
        assert foreign[0] == absent[0] == 404
        assert json.dumps(foreign[1]).replace("south", "nowhere") == json.dumps(absent[1])
    assert [one["namespace_name"] for one in house.json(bound, "GET", "/v1/namespaces")[1]["results"]] == ["north"]
    assert house.json(bound, "GET", "/v1/namespaces/south")[0] == 404
    upsert = {"documents": [{"document_id": "d", "vectors": {"v": [1.0]}}]}
    assert house.json(bound, "POST", "/v1/namespaces/south/documents/upsert", upsert)[0] == 404


def test_a_key_of_a_project_sees_no_other(house: House) -> None:
    writing = house.key("read", "write")
    mine, other = (house.json(writing, "POST", "/api/v1/projects", {"name": name})[1]["project_id"] for name in "ab")
    bound = house.key("read", "write", namespaces=["default"], projects=[mine])
    assert [one["project_id"] for one in house.json(bound, "GET", "/api/v1/projects")[1]] == [mine]
    assert house.json(bound, "GET", f"/api/v1/projects/{other}")[0] == 404
    assert house.json(bound, "POST", f"/api/v1/projects/{other}/indexes", {"name": "x"})[0] == 404
    assert house.json(bound, "POST", f"/api/v1/projects/{mine}/indexes", {"name": "x"})[0] == 200
    assert house.json(bound, "GET", "/v1/clusters")[0] == 403


def test_a_revoked_key_opens_nothing_any_more(house: House) -> None:
    made, text = house.keys.create(NewKey(name="for a while"))
    assert house.json(text, "GET", "/api/v1/projects")[0] == 200
    house.keys.revoke(made.key_id)
    until = time.monotonic() + 30
    while (status := house.json(text, "GET", "/api/v1/projects")[0]) == 200:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert status == 401


def test_typed_clients_show_the_same_key(house: House) -> None:
    with grpc.insecure_channel(house.edge.address) as channel:
        projects = project_service_pb2_grpc.ProjectServiceStub(channel)
        with pytest.raises(grpc.RpcError) as none:
            projects.ListProjects(project_service_pb2.ListProjectsRequest())
        shown = (("authorization", f"Bearer {house.key('read')}"),)
        projects.ListProjects(project_service_pb2.ListProjectsRequest(), metadata=shown)
        with pytest.raises(grpc.RpcError) as forbidden:
            projects.CreateProject(project_service_pb2.CreateProjectRequest(name="x"), metadata=shown)
        with pytest.raises(grpc.RpcError) as stream:
            [*job_service_pb2_grpc.JobServiceStub(channel).WatchJob(job_service_pb2.WatchJobRequest(job_id="j"))]
    assert none.value.code() is stream.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert forbidden.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_reflection_needs_any_key_and_health_none(house: House) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(house.edge.unary) as channel:
        reflection: Any = _REFLECTION.ServerReflectionStub(channel)
        with pytest.raises(grpc.RpcError) as none:
            [*reflection.ServerReflectionInfo(iter([request]))]
        assert none.value.code() is grpc.StatusCode.UNAUTHENTICATED
        shown = (("authorization", f"Bearer {house.key('write')}"),)
        (listed,) = reflection.ServerReflectionInfo(iter([request]), metadata=shown)
        assert "shoal.rag.v1.ProjectService" in {one.name for one in listed.list_services_response.service}
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING


def test_a_key_is_nowhere_to_be_found(house: House) -> None:
    text = house.key("read")
    house.json(text, "GET", "/api/v1/projects")
    with psycopg.connect(house.url) as connection:
        stored = connection.execute("SELECT string_agg(k::text, ' ') FROM api_keys k").fetchone()
    secret = text.split("_")[2]
    assert secret not in str(stored)
    assert secret not in house.edge.access_log.read_text()
    assert secret not in repr(Caller(namespace_id="n", key=house.keys.list()[0]))

"""The owner process: one per directory, kills, calls at the same time, and what it refuses."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as messages

from shoald.adapters.qdrant.vector_index import QdrantVectorIndex
from shoald.application.ports.vector_index import StoredVectors
from shoald.domain.failures import InvalidIndexConfig, StorageFull, Unavailable
from support.qdrant_owner import OwnerProcess, owner_process

_ROWS = np.eye(300, 32, dtype=np.float32) + np.float32(0.01)
_ROWS /= np.linalg.norm(_ROWS, axis=1, keepdims=True)


def _nothing(_part: float) -> None:
    return


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[OwnerProcess]:
    with owner_process(tmp_path) as running:
        yield running


def _client(owner: OwnerProcess) -> QdrantClient:
    port = int(owner.url.rsplit(":", 1)[1])
    return QdrantClient(host="127.0.0.1", grpc_port=port, prefer_grpc=True, check_compatibility=False)


def test_a_second_owner_of_a_directory_gives_up(owner: OwnerProcess) -> None:
    second = owner.spawn()
    assert second.wait(timeout=30) != 0
    with closing(QdrantVectorIndex(owner.url)) as index:
        index.check()


def test_an_owner_that_is_asked_to_stop_ends_well_and_finds_everything_again(owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(owner.url)) as index:
        manifest = index.build("b", ["x"] * 300, _ROWS, attempt=1, config={}, progress=_nothing)
        assert owner.stop() == 0
        owner.start()
        assert index.search(manifest, _ROWS[7], k=1)[0][0].position == 7


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.nightly)])
def test_points_that_were_answered_survive_a_kill(owner: OwnerProcess, kills: int) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    with closing(_client(owner)) as client:
        client.create_collection("kept", models.VectorParams(size=32, distance=models.Distance.COSINE))
        answered = 0
        for _ in range(kills):
            killer = threading.Timer(chance.uniform(0.05, 0.4), owner.kill)
            killer.start()
            try:
                while True:
                    points = [
                        models.PointStruct(id=answered + number, vector=_ROWS[number].tolist()) for number in range(20)
                    ]
                    client.upsert("kept", points)
                    answered += 20
            except grpc.RpcError:
                killer.join()
            owner.start()
            _wait_until_it_answers(client)
            found = client.count("kept").count
            assert answered <= found <= answered + 20
            answered = found
        assert answered > 0


def _wait_until_it_answers(client: QdrantClient) -> None:
    ends = time.monotonic() + 10
    while True:
        try:
            client.get_collections()
        except grpc.RpcError:
            assert time.monotonic() < ends
            time.sleep(0.05)
        else:
            return


def test_a_search_waits_for_an_owner_that_comes_back_soon(owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(owner.url)) as index:
        manifest = index.build("b", ["x"] * 300, _ROWS, attempt=1, config={}, progress=_nothing)
        owner.kill()
        with pytest.raises(Unavailable):
            index.search(manifest, _ROWS[7], k=1)
        owner.start()
        ends = time.monotonic() + 10
        while True:
            try:
                hits, _ = index.search(manifest, _ROWS[7], k=1)
            except Unavailable:
                assert time.monotonic() < ends
            else:
                break
        assert hits[0].position == 7


def test_collections_come_and_go_while_others_are_searched(qdrant_owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(qdrant_owner.url)) as index:
        steady = index.build("steady", ["x"] * 300, _ROWS, attempt=1, config={}, progress=_nothing)
        failures: list[BaseException] = []

        def come_and_go(number: int) -> None:
            try:
                for attempt in range(5):
                    name = f"coming{number}"
                    made = index.build(name, ["x"] * 50, _ROWS[:50], attempt=attempt, config={}, progress=_nothing)
                    assert index.search(made, _ROWS[3], k=1)[0][0].position == 3
                    index.drop(made)
            except BaseException as error:  # noqa: BLE001 - told to the main thread
                failures.append(error)

        threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert index.search(steady, _ROWS[9], k=1)[0][0].position == 9
        for thread in threads:
            thread.join()
        assert failures == []
        with closing(_client(qdrant_owner)) as client:
            names = [found.name for found in client.get_collections().collections]
            assert steady["collection_name"] in names
            assert not [name for name in names if name.startswith("shoal_coming")]


def test_the_ordinary_client_finds_its_way(qdrant_owner: OwnerProcess) -> None:
    with closing(_client(qdrant_owner)) as client:
        assert not client.collection_exists("c")
        client.create_collection("c", models.VectorParams(size=2, distance=models.Distance.COSINE))
        assert client.collection_exists("c")
        payload = {"text": "a", "number": 1, "part": 0.5, "yes": True, "none": None, "list": [1, "b"], "in": {"er": 2}}
        client.upsert("c", [models.PointStruct(id=1, vector=[1.0, 0.0], payload=payload)])
        client.upsert("c", [models.PointStruct(id=number, vector=[0.5, number]) for number in (2, 3, 4)])
        found = client.query_points("c", query=[1.0, 0.0], limit=1, with_vectors=True).points[0]
        assert (found.id, found.payload, found.vector) == (1, payload, [1.0, 0.0])
        assert found.score == pytest.approx(1)
        assert [hit.id for hit in client.query_points("c", query=[1.0, 0.0], limit=2, offset=1).points] == [2, 3]
        assert len(client.query_points("c", query=[1.0, 0.0], score_threshold=0.9).points) == 1
        page, following = client.scroll("c", limit=3)
        assert [record.id for record in page] == [1, 2, 3]
        assert following is not None
        page, following = client.scroll("c", limit=3, offset=following)
        assert ([record.id for record in page], following) == ([4], None)
        client.delete("c", [2, 3])
        assert client.count("c").count == 2
        assert client.retrieve("c", [1])[0].payload == payload
        assert client.delete_collection("c")
        assert not client.delete_collection("c")


def test_what_is_not_served_is_refused_by_name(qdrant_owner: OwnerProcess) -> None:
    with closing(_client(qdrant_owner)) as client:
        client.create_collection("served", models.VectorParams(size=2, distance=models.Distance.COSINE))
        only_a = models.Filter(must=[models.HasIdCondition(has_id=[1])])
        by_field = models.Filter(must=[models.FieldCondition(key="a", match=models.MatchValue(value=1))])
        should = models.Filter(should=[models.HasIdCondition(has_id=[1])])
        refused: dict[str, Callable[[], object]] = {
            "Condition.field": lambda: client.query_points("served", query=[1.0, 0.0], query_filter=by_field),
            "Filter.should": lambda: client.query_points("served", query=[1.0, 0.0], query_filter=should),
            "CountPoints.filter": lambda: client.count("served", count_filter=only_a),
            "VectorParams.distance": lambda: client.create_collection(
                "d", models.VectorParams(size=2, distance=models.Distance.MANHATTAN)
            ),
            "params_map": lambda: client.create_collection(
                "d", {"named": models.VectorParams(size=2, distance=models.Distance.COSINE)}
            ),
        }
        for name, call in refused.items():
            with pytest.raises(grpc.RpcError, match=name) as caught:
                call()
            assert _status(caught) == grpc.StatusCode.UNIMPLEMENTED


def test_bad_calls_get_qdrants_own_statuses(qdrant_owner: OwnerProcess) -> None:
    with closing(_client(qdrant_owner)) as client:
        params = models.VectorParams(size=2, distance=models.Distance.COSINE)
        client.create_collection("bad", params)
        statuses = grpc.StatusCode
        bad: list[tuple[grpc.StatusCode, Callable[[], object]]] = [
            (statuses.NOT_FOUND, lambda: client.query_points("none", query=[1.0, 0.0])),
            (statuses.ALREADY_EXISTS, lambda: client.create_collection("bad", params)),
            (statuses.INVALID_ARGUMENT, lambda: client.create_collection("../bad", params)),
            (statuses.INVALID_ARGUMENT, lambda: client.query_points("bad", query=[1.0])),
            (
                statuses.INVALID_ARGUMENT,
                lambda: client.upsert("bad", [models.PointStruct(id=1, vector=[1.0, 2.0, 3.0])]),
            ),
        ]
        for status, call in bad:
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert _status(caught) == status
        assert client.count("bad").count == 0


def test_health_is_told(qdrant_owner: OwnerProcess) -> None:
    with grpc.insecure_channel(qdrant_owner.url.removeprefix("http://")) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        root: Any = messages
        assert root.QdrantStub(channel).HealthCheck(messages.HealthCheckRequest(), timeout=5).title


def test_a_key_is_asked_for_when_one_is_set(tmp_path: Path) -> None:
    with owner_process(tmp_path, api_key="a-key") as owner:
        with closing(QdrantVectorIndex(owner.url)) as without, pytest.raises(Unavailable, match="SHOAL_QDRANT_API_KEY"):
            without.check()
        with closing(QdrantVectorIndex(owner.url, api_key="a-key")) as index:
            index.check()


def test_nobody_there_is_unavailable() -> None:
    with closing(QdrantVectorIndex("http://127.0.0.1:1")) as index, pytest.raises(Unavailable):
        index.check()


def test_a_wished_name_is_a_part_of_the_name_only(qdrant_owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(qdrant_owner.url)) as index:
        wished = {"collection_name": "../my notes/ü"}
        manifest = index.build("b1", ["x"] * 300, _ROWS, attempt=2, config=wished, progress=_nothing)
        assert manifest["collection_name"] == "shoal__my_notes__b1_a2"
        for config in ({"collection_name": 5}, {"exact": "yes"}, {"kind": "ivf"}, {"ivf_lists": 4}):
            with pytest.raises(InvalidIndexConfig):
                index.build("b2", ["x"] * 300, _ROWS, attempt=1, config=config, progress=_nothing)


def test_a_name_that_a_build_wrote_is_no_wish_for_that_collection(qdrant_owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(qdrant_owner.url)) as index:
        first, second = str(uuid4()), str(uuid4())
        one = index.build(first, ["x"] * 300, _ROWS, attempt=1, config={"collection_name": "notes"}, progress=_nothing)
        two = index.build(second, ["x"] * 300, _ROWS[::-1].copy(), attempt=1, config=one, progress=_nothing)
        assert two["collection_name"] == f"shoal_notes_{second}_a1"
        assert index.search(one, _ROWS[7], k=1)[0][0].position == 7
        assert index.search(two, _ROWS[7], k=1)[0][0].position == 292


def test_only_collections_of_builds_are_named(owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(owner.url)) as index, closing(_client(owner)) as client:
        for name in ("somebody_elses", "shoal_notes"):
            client.create_collection(name, models.VectorParams(size=2, distance=models.Distance.COSINE))
        build_id = str(uuid4())
        built = index.build(build_id, ["x"] * 300, _ROWS, attempt=1, config={}, progress=_nothing)
        assert list(index.stored()) == [StoredVectors(build_id, {"collection_name": built["collection_name"]})]


def test_points_carry_their_items_ids(qdrant_owner: OwnerProcess) -> None:
    with closing(QdrantVectorIndex(qdrant_owner.url)) as index, closing(_client(qdrant_owner)) as client:
        ids = [f"item {number}" for number in range(300)]
        manifest = index.build("b", ids, _ROWS, attempt=1, config={}, progress=_nothing)
        record = client.retrieve(manifest["collection_name"], [12])[0]
        assert record.payload == {"chunk_item_id": "item 12"}


def test_a_build_that_fails_or_is_tried_again_leaves_no_collection(owner: OwnerProcess) -> None:
    def stop(_part: float) -> None:
        raise InterruptedError

    with closing(QdrantVectorIndex(owner.url)) as index, closing(_client(owner)) as client:
        with pytest.raises(InterruptedError):
            index.build("b", ["x"] * 300, _ROWS, attempt=1, config={}, progress=stop)
        assert client.get_collections().collections == []
        for attempt in (1, 2):
            index.build("b", ["x"] * 300, _ROWS, attempt=attempt, config={}, progress=_nothing)
        assert [found.name for found in client.get_collections().collections] == ["shoal_b_a2"]


def test_what_a_killed_owner_left_half_made_is_removed(owner: OwnerProcess, tmp_path: Path) -> None:
    owner.kill()
    for folder in ("new", "trash"):
        (tmp_path / "qdrant" / folder / "x").mkdir()
    owner.start()
    assert list((tmp_path / "qdrant" / "new").iterdir()) == []
    assert list((tmp_path / "qdrant" / "trash").iterdir()) == []


def test_a_disk_that_is_nearly_full_is_named_before_it_is_full(small_disk: Path) -> None:
    with owner_process(small_disk / "data") as owner, closing(QdrantVectorIndex(owner.url)) as index:
        if _free_bytes(small_disk) > 128 << 20:
            pytest.skip("no small disk can be mounted here")
        with pytest.raises(StorageFull):
            index.build("b", ["x"] * 300, _ROWS, attempt=1, config={}, progress=_nothing)
        index.check()


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _status(caught: Any) -> grpc.StatusCode:
    status: grpc.StatusCode = caught.value.code()
    return status

"""What the Python client adds to the stubs, against a running Shoal: columns in and out, files, lists, asyncio."""

from __future__ import annotations

import asyncio
import hashlib
import io
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shoal.client import Connection, HashMismatch, NotFound, connect, connect_async, vectors_table
from shoal.client.files import Arriving
from shoal.clusters.v1.artifact_pb2 import ExportLink
from shoal.clusters.v1.cluster_definition_pb2 import VectorClustering
from shoal.clusters.v1.cluster_service_pb2 import CreateClusterRequest, ExecuteClusterRequest
from shoal.clusters.v1.collection_service_pb2 import GetCollectionRequest, ListCollectionsRequest
from shoal.clusters.v1.namespace_service_pb2 import CreateNamespaceRequest
from shoal.rag.v1.document_service_pb2 import ListDocumentsRequest
from shoal.rag.v1.project_service_pb2 import CreateProjectRequest, GetProjectRequest, ListProjectsRequest

from support.stack import Stack

pytestmark = pytest.mark.acceptance
N, D = 45, 6


def vectors() -> np.ndarray:
    rng = np.random.default_rng(3)
    centres = np.repeat(np.eye(3, D), N // 3, axis=0)
    return (centres + 0.01 * rng.normal(size=(N, D))).astype(np.float32)


@pytest.fixture(scope="module")
def shoal(shoal_up: Stack) -> Iterator[Connection]:
    namespace = f"client_{uuid.uuid4().hex[:8]}"
    with connect(shoal_up.url) as first:
        first.clusters.namespace.CreateNamespace(CreateNamespaceRequest(namespace_name=namespace))
    with connect(shoal_up.url, namespace=namespace) as connection:
        yield connection


@pytest.fixture(scope="module")
def cluster_id(shoal: Connection) -> str:
    """A clustered collection of this file's own."""
    table = vectors_table([f"d{i}" for i in range(N)], vectors(), title=[f"note {i}" for i in range(N)])
    stored = shoal.import_documents(table, "notes")
    assert stored.inserted == N
    how = VectorClustering(clustering_method="kmeans")
    how.algorithm_params.update({"n_clusters": 3})
    request = CreateClusterRequest(collection_ids=[stored.collection_id], vector_config=how)
    cluster = shoal.clusters.cluster.CreateCluster(request)
    task = shoal.clusters.cluster.ExecuteCluster(ExecuteClusterRequest(cluster_id=cluster.cluster_id))
    seen = list(shoal.watch_task(task.task_id))
    assert (seen[-1].status, seen[-1].fraction) == ("COMPLETED", 1.0)
    assert shoal.wait_for_task(task.task_id).status == "COMPLETED"
    return cluster.cluster_id


def test_members_become_frames_of_every_library(shoal: Connection, cluster_id: str) -> None:
    table = shoal.members(cluster_id).to_arrow()
    assert table.num_rows == N
    pandas, polars = shoal.members(cluster_id).to_pandas(), shoal.members(cluster_id).to_polars()
    arrays = shoal.members(cluster_id).to_numpy()
    assert isinstance(pandas, pd.DataFrame)
    assert sorted(pandas.groupby("cluster_id").size()) == [15, 15, 15]
    assert polars["point_id"].to_list() == table.column("point_id").to_pylist() == list(arrays["point_id"])
    assert np.isfinite(arrays["x"]).all()


def test_a_run_is_downloaded_and_its_hash_compared(shoal: Connection, cluster_id: str, tmp_path: Path) -> None:
    place = shoal.export_parquet(cluster_id, tmp_path / "run.parquet")
    assert pq.read_table(place).num_rows >= N
    with pytest.raises(HashMismatch, match=r"run\.parquet"), Arriving(ExportLink(sha256="0" * 64), place) as file:
        file.write(b"not the file that was announced")
    assert pq.read_table(place).num_rows >= N
    assert [path.name for path in tmp_path.iterdir()] == ["run.parquet"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_imported_as_they_are(shoal: Connection, library: str) -> None:
    columns = {"document_id": ["a", "b"], "embedding": [[1.0, 0.0], [0.0, 1.0]], "title": ["one", "two"]}
    frame = pd.DataFrame(columns) if library == "pandas" else pl.DataFrame(columns)
    stored = shoal.import_documents(frame, f"of_{library}")
    assert stored.inserted == 2
    request = GetCollectionRequest(collection_identifier=f"of_{library}")
    assert shoal.clusters.collection.GetCollection(request).document_count == 2
    pages = shoal.pages(shoal.clusters.collection.ListCollections, ListCollectionsRequest(limit=1))
    assert f"of_{library}" in [one.collection_name for page in pages for one in page.results]


def test_import_streams_in_parts() -> None:
    from shoal.client.columns import arrow_parts

    table = pa.table({"document_id": [str(i) for i in range(50_000)], "text": ["x" * 40] * 50_000})
    parts = list(arrow_parts(table))
    assert len(parts) > 5
    assert max(map(len, parts)) <= 262_144
    assert pa.ipc.open_stream(b"".join(parts)).read_all() == table


def test_files_are_uploaded_from_whatever_holds_them(shoal: Connection, tmp_path: Path) -> None:
    content = b"a line of text\n" * 40_000
    (tmp_path / "notes.txt").write_bytes(content)
    project_id = shoal.rag.project.CreateProject(CreateProjectRequest(name="files")).project_id
    hashes = [
        shoal.upload(project_id, tmp_path / "notes.txt").document_version.content_hash,
        shoal.upload(project_id, content, filename="notes.txt").document_version.content_hash,
        shoal.upload(project_id, io.BytesIO(content), filename="n.txt").document_version.content_hash,
    ]
    assert set(hashes) == {hashlib.sha256(content).hexdigest()}


def test_what_cannot_be_sent_is_raised_as_it_is(shoal_up: Stack, shoal: Connection, tmp_path: Path) -> None:
    project_id = shoal.rag.project.CreateProject(CreateProjectRequest(name="none")).project_id
    with pytest.raises(ValueError, match="need a filename"):
        shoal.upload(project_id, b"nameless")
    with pytest.raises(FileNotFoundError):
        shoal.upload(project_id, tmp_path / "not there")

    async def the_same() -> None:
        async with connect_async(shoal_up.url, namespace=shoal.settings.namespace) as other:
            with pytest.raises(FileNotFoundError):
                await other.upload(project_id, tmp_path / "not there")

    asyncio.run(the_same())
    documents = shoal.rag.document.ListDocuments(ListDocumentsRequest(project_id=project_id)).documents
    assert not documents


def test_lists_are_read_page_by_page(shoal: Connection) -> None:
    ids = {shoal.rag.project.CreateProject(CreateProjectRequest(name=str(i))).project_id for i in range(3)}
    pages = list(shoal.pages(shoal.rag.project.ListProjects, ListProjectsRequest(limit=2)))
    assert all(len(page.projects) <= 2 for page in pages)
    assert ids <= {project.project_id for page in pages for project in page.projects}


def test_asyncio_has_the_same_words(shoal_up: Stack, shoal: Connection, cluster_id: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connect_async(shoal_up.url, namespace=shoal.settings.namespace) as other:
            frame = await other.members(cluster_id).to_polars()
            assert frame.height == N
            assert (await other.members(cluster_id).to_numpy())["x"].shape == (N,)
            assert [batch.num_rows async for batch in other.members(cluster_id)]
            place = await other.export_parquet(cluster_id, tmp_path / "run.parquet")
            assert pq.read_table(place).num_rows >= N
            project = await other.rag.project.CreateProject(CreateProjectRequest(name="asyncio"))
            uploaded = await other.upload(project.project_id, b"text", filename="a.txt")
            assert uploaded.document.filename == "a.txt"
            stored = await other.import_documents(vectors_table(["a"], vectors()[:1]), "of_asyncio", replace=True)
            assert stored.inserted == 1
            with pytest.raises(NotFound) as missing:
                await other.rag.project.GetProject(GetProjectRequest(project_id=str(uuid.uuid4())))
            assert missing.value.reason == "PROJECT_NOT_FOUND"

    asyncio.run(scenario())

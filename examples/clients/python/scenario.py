"""The twelve steps with the Python client: python scenario.py [URL] [FILE]."""

import hashlib
import sys
import uuid

from google.protobuf import json_format
from shoal.client import Connection, InvalidRequest, connect
from shoal.clusters.v1 import artifact_service_pb2 as artifacts
from shoal.clusters.v1 import cluster_service_pb2 as clusters
from shoal.clusters.v1 import collection_document_service_pb2 as documents
from shoal.clusters.v1 import collection_service_pb2 as collections
from shoal.clusters.v1.collection_document_pb2 import DenseVector
from shoal.rag.v1 import chunk_set_service_pb2 as chunks
from shoal.rag.v1 import index_service_pb2 as indexes
from shoal.rag.v1 import project_service_pb2 as projects
from shoal.rag.v1 import segment_set_service_pb2 as segments
from shoal.rag.v1.retrieval_pb2 import RetrievalStrategy
from shoal.rag.v1.retrieval_service_pb2 import RetrieveRequest
from shoal.rag.v1.service_info_service_pb2 import GetHealthRequest


def file_to_index(shoal: Connection, file: str) -> str:
    """Steps 1 to 6: a file becomes an index. Returns the project's id."""
    print("1 health:", shoal.rag.service_info.GetHealth(GetHealthRequest()).status)
    project = shoal.rag.project.CreateProject(projects.CreateProjectRequest(name="Scenario"))
    print("2 project:", project.name)
    uploaded = shoal.upload(project.project_id, file)
    print("3 uploaded:", uploaded.document_version.content_hash)
    segment_set = shoal.rag.segment_set.CreateSegmentSet(
        segments.CreateSegmentSetRequest(version_id=uploaded.document_version.version_id, loader_type="markdown")
    )
    of_segments = segments.ReadSegmentItemsRequest(segment_set_id=segment_set.segment_set_version_id)
    print("4 segments:", sum(len(part.item_id) for part in shoal.rag.segment_set.ReadSegmentItems(of_segments)))
    chunk_set = shoal.rag.chunk_set.CreateChunkSet(
        chunks.CreateChunkSetRequest(segment_set_id=segment_set.segment_set_version_id)
    )
    of_chunks = chunks.ReadChunkItemsRequest(chunk_set_id=chunk_set.chunk_set_version_id)
    print("5 chunks:", sum(len(part.item_id) for part in shoal.rag.chunk_set.ReadChunkItems(of_chunks)))
    index = shoal.rag.index.CreateIndex(
        indexes.CreateIndexRequest(project_id=project.project_id, name="Scenario", provider="faiss")
    )
    building = shoal.rag.index.CreateIndexBuild(
        indexes.CreateIndexBuildRequest(
            index_id=index.index_id, chunk_set_version_id=chunk_set.chunk_set_version_id, execution_mode="async"
        )
    )
    print("6 job:", shoal.wait_for_job(building.job_id).status)
    return project.project_id


def retrieve(shoal: Connection, project_id: str) -> None:
    """Step 7: the pages of a stream."""
    strategy = RetrievalStrategy(type="bm25", k=3)
    request = RetrieveRequest(project_id=project_id, query="keeper lamp", strategy=strategy, limit=2)
    for page in shoal.retrieve_pages(request):
        print("7 page:", len(page.items), "of", page.total)


def vectors_to_groups(shoal: Connection) -> str:
    """Steps 8 and 9: vectors become groups. Returns the cluster's id."""
    name = f"scenario_{uuid.uuid4().hex[:12]}"
    collection = shoal.clusters.collection.CreateCollection(collections.CreateCollectionRequest(collection_name=name))
    upsert = documents.UpsertDocumentsRequest(namespace_id="default", collection_id=collection.collection_id)
    for i in range(60):
        values = [1.0 if i % 3 == axis else 0.0 for axis in range(3)]
        vectors = {"embedding": DenseVector(values=[*values, i / 1000])}
        upsert.documents.append(documents.UpsertDocument(document_id=f"d{i}", dense_vectors=vectors))
    print("8 upserted:", shoal.clusters.collection_document.UpsertDocuments(upsert).inserted)
    definition = {
        "cluster_name": name,
        "collection_ids": [collection.collection_id],
        "vector_config": {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 3}},
    }
    cluster = shoal.clusters.cluster.CreateCluster(json_format.ParseDict(definition, clusters.CreateClusterRequest()))
    task = shoal.clusters.cluster.ExecuteCluster(clusters.ExecuteClusterRequest(cluster_id=cluster.cluster_id))
    shoal.wait_for_task(task.task_id)
    groups = shoal.clusters.cluster.GetClusterGroups(
        clusters.GetClusterGroupsRequest(cluster_id=cluster.cluster_id)
    ).groups
    print("9 groups:", *sorted(group.member_count for group in groups))
    return cluster.cluster_id


def results(shoal: Connection, cluster_id: str) -> None:
    """Steps 10 and 11: members in columns, and the run as a file."""
    print("10 members:", shoal.members(cluster_id).to_arrow().num_rows)
    link = shoal.clusters.artifact.GetExportLink(artifacts.GetExportLinkRequest(cluster_id=cluster_id))
    file = hashlib.sha256()
    request = artifacts.DownloadFileRequest(token=link.url.rpartition("/")[2])
    for part in shoal.clusters.artifact.DownloadFile(request):
        file.update(part.data)
    print("11 parquet:", "hash is right" if file.hexdigest() == link.sha256 else "hash is wrong")


def error(shoal: Connection) -> None:
    """Step 12: a request that breaks a rule of the contract."""
    try:
        shoal.rag.project.CreateProject(projects.CreateProjectRequest())
    except InvalidRequest as invalid:
        for violation in invalid.violations:
            print(f"12 error: {invalid.reason} {violation.field}: {violation.description}")


def main(url: str, file: str) -> None:
    with connect(url) as shoal:
        retrieve(shoal, file_to_index(shoal, file))
        results(shoal, vectors_to_groups(shoal))
        error(shoal)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["http://127.0.0.1:8000", "../scenario/notes.md"]))

"""The twelve steps with the client of dataclasses: python scenario.py [URL] [FILE]."""

import hashlib
import os
import sys
import time
import uuid
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pyarrow as pa
from google.rpc import error_details_pb2, status_pb2
from shoal_client.google.protobuf import Struct
from shoal_client.shoal.clusters import v1 as clusters
from shoal_client.shoal.rag import v1 as rag

WORKING = {"PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"}


class Calls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Adds the key to every call, and to calls of one answer a deadline, since these stubs take neither."""

    def __init__(self, key: str | None) -> None:
        self.metadata = [("authorization", f"Bearer {key}")] if key else []

    def intercept_unary_unary(self, continuation, client_call_details, request):
        return continuation(client_call_details._replace(timeout=600, metadata=self.metadata), request)

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return continuation(client_call_details._replace(metadata=self.metadata), request)

    intercept_stream_unary = intercept_unary_stream


def channel_to(url: str, key: str | None) -> grpc.Channel:
    config = files("shoal_client").joinpath("service_config.json").read_text()
    largest = ("grpc.max_receive_message_length", 64 * 1024 * 1024)
    options = [("grpc.service_config", config), ("grpc.keepalive_time_ms", 30_000), largest]
    address = urlsplit(url)
    usual_port = 443 if address.scheme == "https" else 80  # gRPC itself takes 443 for both
    target = address.netloc if address.port else f"{address.netloc}:{usual_port}"
    if address.scheme == "https":
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
    else:
        channel = grpc.insecure_channel(target, options)
    return grpc.intercept_channel(channel, Calls(key))


def parts_of(project_id: str, file: Path) -> Iterator[rag.ImportDocumentRequest]:
    yield rag.ImportDocumentRequest(info=rag.DocumentInfo(project_id=project_id, filename=file.name))
    with file.open("rb") as opened:
        while part := opened.read(262_144):
            yield rag.ImportDocumentRequest(data=part)


def file_to_index(channel: grpc.Channel, file: Path) -> str:
    """Steps 1 to 6: a file becomes an index. Returns the project's id."""
    print("1 health:", rag.ServiceInfoServiceStub(channel).get_health(rag.GetHealthRequest()).status)
    project = rag.ProjectServiceStub(channel).create_project(rag.CreateProjectRequest(name="Scenario"))
    print("2 project:", project.name)
    uploaded = rag.DocumentServiceStub(channel).import_document(parts_of(project.project_id, file))
    print("3 uploaded:", uploaded.document_version.content_hash)
    segments = rag.SegmentSetServiceStub(channel)
    segment_set = segments.create_segment_set(
        rag.CreateSegmentSetRequest(version_id=uploaded.document_version.version_id, loader_type="markdown")
    )
    of_segments = rag.ReadSegmentItemsRequest(segment_set_id=segment_set.segment_set_version_id)
    print("4 segments:", sum(len(part.item_id) for part in segments.read_segment_items(of_segments)))
    chunks = rag.ChunkSetServiceStub(channel)
    chunk_set = chunks.create_chunk_set(rag.CreateChunkSetRequest(segment_set_id=segment_set.segment_set_version_id))
    of_chunks = rag.ReadChunkItemsRequest(chunk_set_id=chunk_set.chunk_set_version_id)
    print("5 chunks:", sum(len(part.item_id) for part in chunks.read_chunk_items(of_chunks)))
    indexes = rag.IndexServiceStub(channel)
    index = indexes.create_index(
        rag.CreateIndexRequest(project_id=project.project_id, name="Scenario", provider="faiss")
    )
    building = indexes.create_index_build(
        rag.CreateIndexBuildRequest(
            index_id=index.index_id, chunk_set_version_id=chunk_set.chunk_set_version_id, execution_mode="async"
        )
    )
    print("6 job:", status_of(channel, building.job_id))
    return project.project_id


def status_of(channel: grpc.Channel, job_id: str) -> str:
    """Watch a job to its end; a watch lasts a minute at most and goes on with its token."""
    token, status = None, "queued"
    while status in {"queued", "running"}:
        for seen in rag.JobServiceStub(channel).watch_job(rag.WatchJobRequest(job_id=job_id, resume_token=token)):
            token, status = seen.resume_token, seen.job.status
    return status


def retrieve(channel: grpc.Channel, project_id: str) -> None:
    """Step 7: the pages of a stream."""
    request = rag.RetrieveRequest(
        project_id=project_id, query="keeper lamp", strategy=rag.RetrievalStrategy(type="bm25", k=3), limit=2
    )
    for page in rag.RetrievalServiceStub(channel).retrieve_stream(rag.RetrieveStreamRequest(retrieve=request)):
        print("7 page:", len(page.items), "of", page.total)


def document(i: int) -> clusters.UpsertDocument:
    values = [1.0 if i % 3 == axis else 0.0 for axis in range(3)]
    vector = clusters.DenseVector(values=[*values, i / 1000])
    return clusters.UpsertDocument(document_id=f"d{i}", dense_vectors={"embedding": vector})


def vectors_to_groups(channel: grpc.Channel) -> str:
    """Steps 8 and 9: vectors become groups. Returns the cluster's id."""
    name = f"scenario_{uuid.uuid4().hex[:12]}"
    collections, stub = clusters.CollectionServiceStub(channel), clusters.ClusterServiceStub(channel)
    collection = collections.create_collection(clusters.CreateCollectionRequest(collection_name=name))
    upsert = clusters.UpsertDocumentsRequest(
        namespace_id="default", collection_id=collection.collection_id, documents=[document(i) for i in range(60)]
    )
    print("8 upserted:", clusters.CollectionDocumentServiceStub(channel).upsert_documents(upsert).inserted)
    how = clusters.VectorClustering(clustering_method="kmeans", algorithm_params=Struct.from_dict({"n_clusters": 3}))
    cluster = stub.create_cluster(
        clusters.CreateClusterRequest(cluster_name=name, collection_ids=[collection.collection_id], vector_config=how)
    )
    task = stub.execute_cluster(clusters.ExecuteClusterRequest(cluster_id=cluster.cluster_id))
    while task.status in WORKING:
        time.sleep(0.1)
        task = clusters.TaskServiceStub(channel).get_task(clusters.GetTaskRequest(task_id=task.task_id))
    groups = stub.get_cluster_groups(clusters.GetClusterGroupsRequest(cluster_id=cluster.cluster_id)).groups
    print("9 groups:", *sorted(group.member_count for group in groups))
    return cluster.cluster_id


def results(channel: grpc.Channel, cluster_id: str) -> None:
    """Steps 10 and 11: members in columns, and the run as a file."""
    artifacts, rows = clusters.ArtifactServiceStub(channel), 0
    for message in artifacts.stream_members(clusters.StreamMembersRequest(cluster_id=cluster_id)):
        rows += pa.ipc.open_stream(message.arrow).read_all().num_rows
    print("10 members:", rows)
    link = artifacts.get_export_link(clusters.GetExportLinkRequest(cluster_id=cluster_id))
    file = hashlib.sha256()
    for part in artifacts.download_file(clusters.DownloadFileRequest(token=link.url.rpartition("/")[2])):
        file.update(part.data)
    print("11 parquet:", "hash is right" if file.hexdigest() == link.sha256 else "hash is wrong")


def error(channel: grpc.Channel) -> None:
    """Step 12: a request that breaks a rule of the contract."""
    try:
        rag.ProjectServiceStub(channel).create_project(rag.CreateProjectRequest())
    except grpc.RpcError as failed:
        details = dict(failed.trailing_metadata())["grpc-status-details-bin"]
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for detail in status_pb2.Status.FromString(details).details:
            _ = detail.Unpack(info) or detail.Unpack(bad)
        for violation in bad.field_violations:
            print(f"12 error: {info.reason} {violation.field}: {violation.description}")


def main(url: str, file: str) -> None:
    with channel_to(url, os.environ.get("SHOAL_API_KEY")) as channel:
        retrieve(channel, file_to_index(channel, Path(file)))
        results(channel, vectors_to_groups(channel))
        error(channel)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["http://127.0.0.1:8000", "../scenario/notes.md"]))

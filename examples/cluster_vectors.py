"""Brings vectors of its own, groups them and prints the groups: python examples/cluster_vectors.py [HOST:PORT]."""

import io
import sys
import time
import uuid

import grpc
import numpy as np
import pyarrow as pa
from google.protobuf import json_format
from shoal.clusters.v1 import (
    cluster_service_pb2,
    cluster_service_pb2_grpc,
    collection_document_service_pb2,
    collection_document_service_pb2_grpc,
    collection_service_pb2,
    collection_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
)

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
name = f"example_{uuid.uuid4().hex[:8]}"
rng = np.random.default_rng(7)
words = ["rivers", "bread", "chess", "comets", "violins"]
topics = rng.normal(size=(len(words), 32))
vectors = (np.repeat(topics, 200, axis=0) + 0.3 * rng.normal(size=(1000, 32))).astype(np.float32)


def arrow_stream():
    """One Arrow IPC stream: an id, a vector and a payload column, cut into parts of 256 KiB."""
    table = pa.table(
        {
            "document_id": [f"d{i}" for i in range(len(vectors))],
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1]),
            "title": [f"note {i} about {words[i // 200]}" for i in range(len(vectors))],
        }
    )
    written = io.BytesIO()
    with pa.ipc.new_stream(written, table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    whole = written.getvalue()
    return [whole[at : at + 262_144] for at in range(0, len(whole), 262_144)]


with grpc.insecure_channel(address) as channel:
    collections = collection_service_pb2_grpc.CollectionServiceStub(channel)
    documents = collection_document_service_pb2_grpc.CollectionDocumentServiceStub(channel)
    clusters = cluster_service_pb2_grpc.ClusterServiceStub(channel)
    tasks = task_service_pb2_grpc.TaskServiceStub(channel)

    collection = collections.CreateCollection(collection_service_pb2.CreateCollectionRequest(collection_name=name))
    info = collection_document_service_pb2.ImportInfo(collection_id=collection.collection_id)
    parts = [collection_document_service_pb2.ImportDocumentsRequest(info=info)]
    parts += [collection_document_service_pb2.ImportDocumentsRequest(arrow=part) for part in arrow_stream()]
    print("imported", documents.ImportDocuments(iter(parts)).inserted)

    definition = {
        "cluster_name": name,
        "collection_ids": [collection.collection_id],
        "vector_config": {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": len(words)}},
    }
    cluster = clusters.CreateCluster(json_format.ParseDict(definition, cluster_service_pb2.CreateClusterRequest()))
    task = clusters.ExecuteCluster(cluster_service_pb2.ExecuteClusterRequest(cluster_id=cluster.cluster_id))
    while task.status in {"PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"}:
        time.sleep(0.1)
        task = tasks.GetTask(task_service_pb2.GetTaskRequest(task_id=task.task_id))
    groups = clusters.GetClusterGroups(cluster_service_pb2.GetClusterGroupsRequest(cluster_id=cluster.cluster_id))
    for group in groups.groups:
        print(group.cluster_id, group.member_count, group.label)

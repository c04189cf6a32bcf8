"""Brings vectors of its own, groups them and prints the groups: python examples/cluster_vectors.py [HOST:PORT]."""

import sys
import time
import uuid

import grpc
import numpy as np
import pyarrow as pa
from google.protobuf import json_format
from shoal.clusters.v1 import cluster_service_pb2, cluster_service_pb2_grpc
from shoal.clusters.v1 import collection_document_service_pb2, collection_document_service_pb2_grpc
from shoal.clusters.v1 import collection_service_pb2, collection_service_pb2_grpc
from shoal.clusters.v1 import task_service_pb2, task_service_pb2_grpc

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
name = f"example_{uuid.uuid4().hex[:8]}"
rng = np.random.default_rng(7)
topics = rng.normal(size=(5, 32))
vectors = (np.repeat(topics, 200, axis=0) + 0.3 * rng.normal(size=(1000, 32))).astype(np.float32)

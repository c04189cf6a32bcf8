"""Asks every project of a Shoal for passages by keyword: python examples/retrieve.py [HOST:PORT] [QUERY]."""

import sys

import grpc
from shoal.rag.v1 import (
    project_service_pb2,
    project_service_pb2_grpc,
    retrieval_pb2,
    retrieval_service_pb2,
    retrieval_service_pb2_grpc,
)

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
query = sys.argv[2] if len(sys.argv) > 2 else "parse a date"

with grpc.insecure_channel(address) as channel:
    projects = project_service_pb2_grpc.ProjectServiceStub(channel)
    retrieval = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
    for project in projects.ListProjects(project_service_pb2.ListProjectsRequest()).projects:
        request = retrieval_service_pb2.RetrieveRequest(
            project_id=project.project_id, query=query, strategy=retrieval_pb2.RetrievalStrategy(type="bm25", k=3)
        )
        try:
            answer = retrieval.Retrieve(request)
        except grpc.RpcError as error:
            print(f"{project.name}: {error.details()}")
            continue
        for item in answer.items:
            print(f"{project.name}: {item.score:.2f} {item.page_content[:90]!r}")

"""Lists the projects of a Shoal with the client of dataclasses: python examples/list_projects.py [HOST:PORT]."""

import sys

import grpc
from shoal_client.shoal.rag import v1 as rag

with grpc.insecure_channel(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000") as channel:
    for project in rag.ProjectServiceStub(channel).list_projects(rag.ListProjectsRequest()).projects:
        print(project.project_id, project.name)

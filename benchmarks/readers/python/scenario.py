"""Reads the member stream: python scenario.py URL FORMAT prints rows and the seconds of the quickest of four."""

import sys
import time

from shoal.client import Connection, connect
from shoal.clusters.v1 import artifact_service_pb2 as pb


def read(shoal: Connection, form: str) -> int:
    if form == "arrow":
        return int(shoal.members("c").to_arrow().num_rows)
    parts = shoal.clusters.artifact.StreamMembers(pb.StreamMembersRequest(cluster_id="c", format=form))
    return sum(len(part.lists.point_id) for part in parts)


with connect(sys.argv[1]) as shoal:
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        rows = read(shoal, sys.argv[2])
        seconds.append(time.perf_counter() - began)
print(rows, min(seconds))

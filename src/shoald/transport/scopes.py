"""What a key must be allowed for each call, told from the call's name; a test reads the whole list."""

from __future__ import annotations

import re

from shoald.domain.platform_words import Scope

# each call's name begins with its verb; of several things at once, with `Batch` or `Bulk` before it
_READING = re.compile(
    r"(Batch|Bulk)?(Aggregate|Compare|Count|Distinct|Download|Export|Find|Get|List|Read|Retrieve|Stream|Watch)"
)
_ALL_JOBS = "/shoal.rag.v1.JobService/ListAllJobs"
_NAMESPACES = "/shoal.clusters.v1.NamespaceService/"
# what tells nothing of anybody, or has a seal of its own: the signed token of a link to a file
_OPEN = ("/shoal.rag.v1.ServiceInfoService/", "/shoal.clusters.v1.ArtifactService/DownloadFile")


def scope_of(method: str) -> Scope | None:
    """Return what a key must be allowed for a gRPC path; None: no key.

    >>> scope_of("/shoal.rag.v1.JobService/GetJob"), scope_of("/shoal.rag.v1.ServiceInfoService/GetHealth")
    (<Scope.READ: 'read'>, None)
    """
    if method.startswith(_OPEN):
        return None
    is_reading = _READING.match(method.rpartition("/")[2]) is not None
    if method == _ALL_JOBS or (method.startswith(_NAMESPACES) and not is_reading):
        return Scope.ADMIN
    return Scope.READ if is_reading else Scope.WRITE

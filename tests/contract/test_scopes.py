"""Each call of the contract asks for a scope; what changes nothing asks for `read`."""

from __future__ import annotations

import re

import pytest

from contract.contracts import methods
from shoald.domain.failures import PermissionDenied
from shoald.domain.platform_words import Scope
from shoald.domain.records.api_key import ApiKey
from shoald.transport.interceptors.key_check import check_allowed
from shoald.transport.scopes import scope_of
from support.builders import NOW

CHANGING = {
    "Create",
    "Delete",
    "Patch",
    "Put",
    "Replace",
    "Set",
    "Start",
    "Undo",
    "Update",
    "Upload",
    "Upsert",
    "Cancel",
}
PATHS = {f"/{method.containing_service.full_name}/{method.name}": method for method in methods()}


def a_key(*scopes: str, projects: tuple[str, ...] = ()) -> ApiKey:
    return ApiKey(
        key_id="0" * 16,
        name="trial",
        secret_hash=b"",
        scopes=frozenset(scopes),
        namespace_ids=(),
        project_ids=projects,
        created_at=NOW,
    )


def test_who_needs_no_key_tells_nothing_of_anybody() -> None:
    names = {path.rpartition("/")[2] for path in PATHS if scope_of(path) is None}
    assert names == {"GetService", "GetHealth", "GetOpenApi", "GetRagOpenApi", "GetClustersOpenApi", "DownloadFile"}


def test_what_is_about_the_whole_needs_admin() -> None:
    names = {path.rpartition("/")[2] for path in PATHS if scope_of(path) is Scope.ADMIN}
    assert {"ListAllJobs", "CreateNamespace", "CreateStandaloneNamespace"} <= names
    assert all(name == "ListAllJobs" or "Namespace" in name for name in names)


@pytest.mark.parametrize("path", sorted(path for path in PATHS if scope_of(path) is Scope.READ))
def test_what_a_reading_key_opens_changes_nothing(path: str) -> None:
    words = re.findall("[A-Z][a-z]+", path.rpartition("/")[2])
    verb = words[1] if words[0] in {"Batch", "Bulk"} else words[0]
    assert verb not in CHANGING


def test_a_key_opens_what_its_scopes_say() -> None:
    method = "/shoal.rag.v1.ProjectService/CreateProject"
    for scopes, needed, opens in [
        (("read",), Scope.READ, True),
        (("read",), Scope.WRITE, False),
        (("write",), Scope.READ, False),
        (("read", "write"), Scope.ADMIN, False),
        (("admin",), Scope.WRITE, True),
        (("admin",), Scope.READ, True),
    ]:
        try:
            check_allowed(a_key(*scopes), needed, method)
            opened = True
        except PermissionDenied:
            opened = False
        assert opened is opens, (scopes, needed)


def test_a_key_of_projects_is_for_calls_about_projects() -> None:
    key = a_key("admin", projects=("p",))
    check_allowed(key, Scope.READ, "/shoal.rag.v1.ProjectService/GetProject")
    with pytest.raises(PermissionDenied, match="projects only"):
        check_allowed(key, Scope.READ, "/shoal.clusters.v1.ClusterService/GetCluster")

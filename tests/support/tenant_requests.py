"""Requests for each call of the contract, in which every id is one of another namespace, or one that nobody has."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from shoald.domain.identifiers import new_uuid

_SEGMENT_SET = ("segment_set_version_id", "segment_sets JOIN projects USING (project_id)")
_CHUNK_SET = ("chunk_set_version_id", "chunk_sets JOIN projects USING (project_id)")
_BUILD = ("build_id", "index_builds JOIN projects USING (project_id)")
_VERSION = ("version_id", "document_versions JOIN documents USING (document_id) JOIN projects USING (project_id)")
_CHUNK = ("item_id", "chunk_items JOIN chunk_sets USING (chunk_set_version_id) JOIN projects USING (project_id)")
_IMPORTED = "(SELECT * FROM collections WHERE index_id IS NULL) AS imported"
_COLLECTION = ("collection_id", _IMPORTED)
_DOCUMENT = ("document_id", f"collection_documents JOIN {_IMPORTED} USING (collection_id)")
_CLUSTER = ("cluster_id", "clusters")
_RUN = ("run_id", "cluster_runs")
_GROUP = ("centroids->0->>'cluster_id'", "cluster_runs")
_RUN_JOB = ("job_id", "cluster_runs")

IDS_OF: Mapping[str, tuple[str, str]] = {
    "project_id": ("project_id", "projects"),
    "rag.document_id": ("document_id", "documents JOIN projects USING (project_id)"),
    "version_id": _VERSION,
    "document_version_id": _VERSION,
    "segment_set_id": _SEGMENT_SET,
    "segment_set_version_id": _SEGMENT_SET,
    "segment_set_ids": _SEGMENT_SET,
    "chunk_set_id": _CHUNK_SET,
    "chunk_set_version_id": _CHUNK_SET,
    "item_id": _CHUNK,
    "index_id": ("indexes.index_id", "indexes JOIN projects USING (project_id)"),
    "build_id": _BUILD,
    "target_id": _BUILD,
    "rag.run_id": ("run_id", "retrieval_runs JOIN projects USING (project_id)"),
    "evaluation_id": ("evaluation_id", "evaluations JOIN projects USING (project_id)"),
    "artifact_id": ("artifact_id", "artifacts JOIN projects USING (project_id)"),
    "job_id": ("job_id", "jobs"),
    "collection_id": _COLLECTION,
    "collection_identifier": _COLLECTION,
    "collection_ids": _COLLECTION,
    "source_collection_ids": _COLLECTION,
    "clusters.document_id": _DOCUMENT,
    "document_ids": _DOCUMENT,
    "cluster_id": _CLUSTER,
    "cluster_identifier": _CLUSTER,
    "source_cluster_ids": _CLUSTER,
    "clusters.run_id": _RUN,
    "other_run_id": _RUN,
    "after_run_id": _RUN,
    "earlier_run_id": _RUN,
    "kept_run_ids": _RUN,
    "source_execution_ids": _RUN,
    "group_id": _GROUP,
    "group_ids": _GROUP,
    "task_id": _RUN_JOB,
    "sweep_id": _RUN_JOB,
    "clustering_ids": _CLUSTER,
    "source_collection_id": _COLLECTION,
    "target_collection_id": _COLLECTION,
    "taxonomy_identifier": ("taxonomy_id", "taxonomies"),
    "taxonomy_id": ("taxonomy_id", "taxonomies"),
    "trigger_id": ("trigger_id", "triggers"),
    "resource_id": _CLUSTER,
    "enrichment_id": ("enrichment_id", "enrichments"),
    "identifier": ("webhook_id", "webhooks"),
    "delivery_id": ("delivery_id", "webhook_deliveries"),
}
"""Where the ids of a namespace stand, column and tables, by the field of requests that names one.

`rag.` and `clusters.` stand before names that mean different things in the two APIs.
"""

IDS_MADE: Mapping[str, str] = {
    "taxonomies": "tax_0123456789abcdef",
    "triggers": "trig_0123456789abcdef",
    "enrichments": "enr_0123456789abcdef",
    "webhooks": "wh_0123456789abcdef",
    "webhook_deliveries": "dlv_0123456789abcdef",
}
"""Ids of rows that tests store past every check, by table: what they hold is never read by whom it belongs to."""

NAMESPACES = frozenset({"namespace_id", "namespace_identifier", "namespace_ids"})
_ID = re.compile(r"(^|_)(id|ids|identifier)$")

# what a value must be for the request to be looked at, where its rule does not say
VALUES: Mapping[str, Any] = {
    "loader_type": "text",
    "content_hashes": ["0" * 64],
    "query": "ship",
    "strategy": {"type": "bm25"},
}


_FORM = (
    b'--b\r\nContent-Disposition: form-data; name="loader_type"\r\n\r\ntext\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na ship\r\n--b--\r\n'
)
# and what single calls need beside that
BODIES: Mapping[str, Any] = {
    "CreateClusterTrigger": {"schedule_config": {"cron_expression": "0 5 * * *"}},
    "BatchUpdateDocuments": {"updates": [{"document_id": "d", "update_data": {"a": 1}}]},
    "RelabelExecution": {"labels": {"cl_0": "x"}},
    "ListNewDocuments": {"since": "2024-01-01"},
    "ExecuteTaxonomy": {"body": {"source_documents": [{"a": 1}]}},
    "StartSweep": {"body": {"grid": {"n_clusters": [2]}}},
    "IngestFiles": {"file": {"content_type": "multipart/form-data; boundary=b", "data": b64encode(_FORM).decode()}},
}


class Absent(Mapping[str, str]):
    """An id that nobody has for each that somebody has, of the same form."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._ids = ids

    def __getitem__(self, name: str) -> str:
        return nobodys(self._ids[name])

    def __iter__(self) -> Any:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def nobodys(found: str) -> str:
    """Return an id of the form of this one.

    >>> nobodys("clust_0123456789abcdef")[:6]
    'clust_'
    """
    if re.fullmatch(r"[0-9a-f-]{36}", found):
        return new_uuid()
    prefix = found[: found.index("_") + 1] if "_" in found else found[:1]
    return prefix + secrets.token_hex(len(found))[: len(found) - len(prefix)]


@dataclass
class Filled:
    """A request, and the ids that are in it."""

    message: Message
    ids: list[str] = field(default_factory=list)


def id_fields(method: Any) -> list[str]:
    """Return the fields of a request that name a thing of a namespace."""
    return [one.name for one in method.input_type.fields if _is_id(one)]


def _is_id(one: Any) -> bool:
    return one.type == one.TYPE_STRING and _ID.search(one.name) is not None and one.name not in NAMESPACES


def filled(method: Any, ids: Mapping[str, str], namespace_id: str = "") -> Filled:
    """Return a request that passes its rules, with an id in each field for one."""
    made = Filled(message_factory.GetMessageClass(method.input_type)())
    _Filler(made, ids, "rag" if ".rag." in method.full_name else "clusters", namespace_id).fill(made.message)
    json_format.ParseDict(BODIES.get(method.name, {}), made.message)
    return made


@dataclass
class _Filler:
    made: Filled
    ids: Mapping[str, str]
    family: str
    namespace_id: str

    def fill(self, message: Message) -> None:
        for one in message.DESCRIPTOR.fields:
            rules: Any = one.GetOptions().Extensions[validate_pb2.field]
            if one.containing_oneof is not None and one.containing_oneof.fields[0] is not one and not one.has_presence:
                continue
            if one.name in VALUES and _takes(one, VALUES[one.name]):
                json_format.ParseDict({one.name: VALUES[one.name]}, message)
            elif _is_id(one):
                self._put(message, one, self._id(one.name))
            elif one.name in NAMESPACES:
                self._put(message, one, self.namespace_id)
            elif rules.required or rules.repeated.min_items:
                self._fill_required(message, one, rules)

    def _id(self, name: str) -> str:
        value = self.ids.get(f"{self.family}.{name}") or self.ids.get(name) or nobodys("x_0123456789")
        self.made.ids.append(value)
        return value

    def _put(self, message: Any, one: Any, value: str) -> None:
        if not value:
            return
        if one.is_repeated:
            getattr(message, one.name).append(value)
        else:
            setattr(message, one.name, value)

    def _fill_required(self, message: Any, one: Any, rules: Any) -> None:
        if one.type == one.TYPE_MESSAGE:
            inner = getattr(message, one.name)
            inner = inner.add() if one.is_repeated else inner
            inner.SetInParent()
            self.fill(inner)
        elif one.is_repeated:
            getattr(message, one.name).append(_scalar(one, rules.repeated.items))
        else:
            setattr(message, one.name, _scalar(one, rules))


def _takes(one: Any, value: Any) -> bool:
    is_text = one.type == one.TYPE_STRING and not one.is_repeated
    return isinstance(value, str) is is_text


def _scalar(one: Any, rules: Any) -> Any:
    if one.type == one.TYPE_STRING:
        words = getattr(rules.string, "in")
        return words[0] if words else "x" * max(1, rules.string.min_len)
    if one.type == one.TYPE_BOOL:
        return False
    return 1

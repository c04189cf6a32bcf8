"""Writes the gRPC service config that client packages ship: which calls are repeated, and how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.descriptors import Contract, Rpc

# Calls that begin with one of these change nothing, so that a client may send them again. `Retrieve` with `persist` and
# `ExportExecution` write something that nobody misses twice: a stored run, a file that expires.
READING_VERBS = (
    "Aggregate",
    "BatchGet",
    "BatchList",
    "Compare",
    "Count",
    "Distinct",
    "Download",
    "Estimate",
    "Export",
    "Find",
    "Get",
    "List",
    "Read",
    "Retrieve",
    "Stream",
    "Watch",
)
WRITING_VERBS = (
    *("Apply", "BatchDelete", "BatchUpdate", "Build", "BulkUpdate", "Cancel", "Chunk", "Clone", "Create", "Delete"),
    *("Evaluate", "Execute", "Import", "Ingest", "Join", "Label", "Patch", "Pause", "Publish", "Put", "Redeliver"),
    *("Relabel", "Rename", "Repeat", "Replace", "Replay", "Restore", "Resume", "Run", "Set", "Start", "Test", "Undo"),
    *("Update", "Upload", "Upsert"),
)
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.2s",
    "maxBackoff": "5s",
    "backoffMultiplier": 2,
    # Shoal says UNAVAILABLE while a part of it is away, and RESOURCE_EXHAUSTED only of calls that may be repeated
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
}


def is_reading(rpc: Rpc) -> bool:
    """Say whether a call may be sent twice without harm."""
    return rpc.method.name.startswith(READING_VERBS)


def _names(contract: Contract) -> Iterator[dict[str, str]]:
    for rpc in contract.rpcs():
        if is_reading(rpc) and not rpc.method.client_streaming:
            yield {"service": f"{rpc.package}.{rpc.service}", "method": rpc.method.name}


def service_config(contract: Contract) -> dict[str, Any]:
    """Return the service config: a retry policy for reading calls, none for the others."""
    return {"methodConfig": [{"name": list(_names(contract)), "retryPolicy": _RETRY}]}


def write_service_config(contract: Contract, *files: Path) -> None:
    """Write it to each of the files."""
    text = json.dumps(service_config(contract), indent=1) + "\n"
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

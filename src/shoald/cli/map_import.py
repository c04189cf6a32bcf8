"""A file with vectors becomes a collection, once: a file that has not changed is not stored again."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from shoald.cli.import_vectors import StoredRows, environment_of, import_batches, reason_of
from shoald.cli.map_server import MapServer
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError
from shoald.domain.failures import Failure

if TYPE_CHECKING:
    from shoald.adapters.parquet.chosen_columns import ChosenColumns
    from shoald.domain.records.collection import DocumentBatch

MARK = "shoal_map"
"""Key of a collection's metadata under which it stands which file it was made from."""
_SENT = 250
"""Documents of one call: some 2 MB of JSON with vectors of 384 numbers."""
_SHORTEST = 3
_NOT_FOUND = 404


class MapError(Exception):
    """A map cannot be made; the message says why and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSource:
    """A file and what is read of it; `namespace` is where its documents go, None for the server's default."""

    file: Path
    columns: ChosenColumns
    namespace: str | None = None

    def fingerprint(self) -> str:
        """Return a hash of the file's bytes and of what is read of it; reads the whole file."""
        with self.file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256")
        digest.update(repr((self.columns, self.file.suffix.lower())).encode())
        return digest.hexdigest()

    def documents(self) -> Iterator[DocumentBatch]:
        """Yield what is read; raises `Failure` that says what is wrong with the file."""
        from shoald.adapters.parquet.chosen_columns import chosen_documents

        return chosen_documents(str(self.file), self.columns)

    def rows(self) -> int | None:
        """Return the number of rows, None where only reading tells."""
        from shoald.adapters.parquet.document_tables import ArrowDocumentTables

        return ArrowDocumentTables().rows_in(str(self.file))


def collection_name(file: Path) -> str:
    """Return the name of the collection that a file becomes unless it is given another.

    >>> collection_name(Path("data/My papers (2024).parquet")), collection_name(Path("v.npy"))
    ('My_papers_2024', 'v_map')
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem).strip("_")[:80]
    return plain if len(plain) >= _SHORTEST else f"{plain}_map".lstrip("_").rjust(_SHORTEST, "_")


def imported(client: RestClient, server: MapServer, source: MapSource, name: str) -> dict[str, Any]:
    """Return the collection of that name with the file's documents and no others.

    Of rows with the same id the last one is stored, which is said. Raises `MapError` for a collection that was not made
    from a file and for a file that cannot be read; then a collection that lies on this machine keeps what it held.
    """
    fingerprint = source.fingerprint()
    found = _found(client, name)
    if found is not None and MARK not in found["metadata"]:
        raise MapError(
            f"there is a collection {name!r} that no map was made from: choose another name with --name,"
            f" or map it as it is with --collection {name}"
        )
    if found is not None and _is_same(found, fingerprint):
        print(f"{source.file.name} has not changed: its {found['document_count']:,} documents stay as they are")
        _tell_repeated(source, found["metadata"][MARK].get("repeated"))
        return found
    if found is not None and found["metadata"][MARK]:
        _mark(client, found, {})  # an import that is broken off leaves a collection of no file
    stored, rows = _stored(client, server, source, found or _made(client, name))
    repeated = _repeated(source) if rows > stored["document_count"] else None
    _tell_repeated(source, repeated)
    mark = {"sha256": fingerprint, "documents": stored["document_count"], "file": source.file.name}
    _mark(client, stored, {**mark, "repeated": repeated} if repeated else mark)
    return stored


def _repeated(source: MapSource) -> dict[str, Any] | None:
    """Return how many rows have the id of a row before them, and the first such id; None for none.

    Reads the file once more and holds all ids, so it is asked only of a file with more rows than documents.
    """
    known, first, count = set[str](), "", 0
    for batch in source.documents():
        for one in batch.ids:
            if one in known:
                first, count = first or one, count + 1
            known.add(one)
    return {"rows": count, "first_id": first} if count else None


def _tell_repeated(source: MapSource, repeated: Mapping[str, Any] | None) -> None:
    if repeated:
        typer.echo(
            f"note: {repeated['rows']:,} rows of {source.file.name} have the id of a row before them, the first of them"
            f" {repeated['first_id']!r}: the last row of each id is on the map",
            err=True,
        )


def _mark(client: RestClient, collection: dict[str, Any], mark: dict[str, Any]) -> None:
    metadata = {**collection["metadata"], MARK: mark}
    client.patch(f"/v1/collections/{collection['collection_id']}", {"metadata": metadata})


def _found(client: RestClient, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get(f"/v1/collections/{name}")
    except RestError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return found


def _is_same(collection: dict[str, Any], fingerprint: str) -> bool:
    mark = collection["metadata"][MARK]
    return bool(mark.get("sha256") == fingerprint and mark.get("documents") == collection["document_count"])


def _made(client: RestClient, name: str) -> dict[str, Any]:
    made: dict[str, Any] = client.post("/v1/collections", {"collection_name": name, "metadata": {MARK: {}}})
    return made


def _stored(
    client: RestClient, server: MapServer, source: MapSource, collection: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Store the file's documents in the place of what the collection holds.

    Returns the collection as it is then, and the number of rows that were read.
    """
    name = collection["collection_name"]
    try:
        with progress(f"Importing {source.file.name}") as report:
            steps = StoredRows(source.rows(), report)
            if server.data is None:
                _send(client, source, collection, steps)
            else:
                _write(server.data, source, name, steps)
    except Failure as failure:
        raise MapError(reason_of(failure, source.file)) from failure
    stored: dict[str, Any] = client.get(f"/v1/collections/{name}")
    if not stored["document_count"]:
        raise MapError(f"{source.file}: there is nothing in it")
    return stored, steps.done


def _write(data: Path, source: MapSource, name: str, steps: StoredRows) -> None:
    """Store them straight in the database of an installation on this machine; all of them or none."""
    from shoald.application.collection_documents import Import

    os.environ.update(environment_of(data))
    target = Import(namespace=source.namespace, collection=name, replace=True)
    import_batches(target, source.documents(), steps)


def _send(client: RestClient, source: MapSource, collection: dict[str, Any], steps: StoredRows) -> None:
    """Send them by calls to a server elsewhere; a collection that holds something is made anew first."""
    name, namespace = collection["collection_name"], collection["namespace_id"]
    batches = source.documents()
    first = next(batches, None)  # a file that cannot be read leaves what there is
    if collection["document_count"]:
        client.delete(f"/v1/collections/{collection['collection_id']}")
        _made(client, name)
    while first is not None:
        documents = _as_json(first)
        for start in range(0, len(documents), _SENT):
            body = {"collection_id": name, "documents": documents[start : start + _SENT]}
            client.post(f"/v1/namespaces/{namespace}/documents/upsert", body)
        steps(len(documents))
        first = next(batches, None)


def _as_json(batch: DocumentBatch) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = [
        {"document_id": one, "payload": dict(payload), "vectors": {}}
        for one, payload in zip(batch.ids, batch.payloads, strict=True)
    ]
    for column in batch.vectors:
        values: Any = column.values  # only dense vectors are chosen
        rows = range(len(documents)) if column.rows is None else column.rows.tolist()
        for row, vector in zip(rows, values, strict=True):
            if not np.isfinite(vector).all():
                raise MapError(f"the vector of document {batch.ids[row]!r} has numbers that are none")
            documents[row]["vectors"][column.name] = vector.tolist()
    return documents

"""A completed run goes in; a table of its points with the groups above each, and what a picture needs, come out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shoald.cli.map_picture import MapGroup, MapPoints
from shoald.cli.rest_client import RestClient
from shoald.domain.records.cluster import NOISE_CENTROID

SEPARATOR = " / "
"""Stands between the labels of a path."""
KNOWN_TEXTS = ("text", "page_content", "content", "title", "headline", "name", "description", "summary")
"""Fields that are looked for, in this order, where nobody says which holds the text."""
_MEMBERS = ("document_id", "is_centroid", "cluster_id", "x", "y", "cosine_similarity_to_centroid")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnMap:
    """Groups, points by their ids, and the table of them: id, cluster, path, label, x, y, similarity, stability,
    confidence.
    """

    groups: Sequence[MapGroup]
    points: MapPoints
    table: pa.Table


def drawn_map(client: RestClient, run: Mapping[str, Any], collection_id: str, texts: Sequence[str]) -> DrawnMap:
    """Fetch the points of a run and the texts of its collection's documents.

    `texts` are the payload fields that hold them, none for the known ones. Several are shown one after another, of the
    known ones the first that a document has. Memory: the columns.
    """
    with tempfile.TemporaryDirectory(prefix="shoal-map-") as folder:
        members = _members(client, run, Path(folder) / "members.parquet")
        found = _texts(client, collection_id, texts, Path(folder) / "texts.parquet")
    groups = groups_of(run["centroids"])
    at = _group_of(groups, members["cluster_id"])
    points = MapPoints(
        ids=members["document_id"].to_pylist(),
        texts=_in_order(found, members["document_id"]),
        x=_floats(members["x"]),
        y=_floats(members["y"]),
        group=at,
    )
    return DrawnMap(groups=groups, points=points, table=_table(members, groups, at, run))


def groups_of(centroids: Sequence[Mapping[str, Any]]) -> list[MapGroup]:
    """Return the groups of a run, those in none left out, each with its path: the labels from the first level down."""
    rows = [row for row in centroids if row["cluster_id"] != NOISE_CENTROID]
    place = {row["cluster_id"]: at for at, row in enumerate(rows)}
    return [_group(row, rows, place) for row in rows]


def _group(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], place: Mapping[str, int]) -> MapGroup:
    above = [row]
    while (parent := place.get(above[-1].get("parent_cluster_id") or "")) is not None:
        above.append(rows[parent])
    return MapGroup(
        cluster_id=row["cluster_id"],
        label=_label(row),
        path=SEPARATOR.join(_label(one) for one in reversed(above)),
        parent=place.get(row.get("parent_cluster_id") or "", -1),
        level=len(above) - 1,
        stability=next((one["stability"] for one in above if one.get("stability") is not None), None),
        confidence=row.get("confidence"),
    )


def _label(row: Mapping[str, Any]) -> str:
    return str(row.get("label") or row["cluster_id"])


def write_table(path: Path, drawn: DrawnMap) -> int:
    """Write the table as Parquet and return its size in bytes."""
    pq.write_table(drawn.table, path, compression="zstd")
    return path.stat().st_size


def _members(client: RestClient, run: Mapping[str, Any], file: Path) -> pa.Table:
    link = client.get(f"/v1/clusters/{run['cluster_id']}/executions/{run['run_id']}/export")
    client.save(link["url"], file)
    table = pq.read_table(file, columns=list(_MEMBERS))
    return table.filter(pc.invert(table["is_centroid"])).sort_by("document_id").combine_chunks()


def _texts(client: RestClient, collection_id: str, texts: Sequence[str], file: Path) -> dict[str, str]:
    """Return the text of each document of a collection."""
    fields = list(texts or KNOWN_TEXTS)
    export = client.post(f"/v1/collections/{collection_id}/export", {"format": "parquet", "select_fields": fields})
    client.save(export["download_url"], file)
    table = pq.read_table(file)
    columns = [_words(table[field]) for field in fields if field in table.column_names]
    shown = _joined(columns) if texts else _first(columns, table.num_rows)
    return dict(zip(table["document_id"].to_pylist(), shown, strict=True))


def _words(column: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _joined(columns: Sequence[Sequence[str]]) -> list[str]:
    return [" · ".join(filter(None, row)) for row in zip(*columns, strict=True)]


def _first(columns: Sequence[Sequence[str]], rows: int) -> list[str]:
    if not columns:
        return [""] * rows
    return [next(filter(None, row), "") for row in zip(*columns, strict=True)]


def _in_order(found: Mapping[str, str], ids: pa.ChunkedArray) -> list[str]:
    return [found.get(one, "") for one in ids.to_pylist()]


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    filled: npt.NDArray[np.float32] = pc.fill_null(column.cast(pa.float32()), float("nan")).to_numpy()
    return filled


def _group_of(groups: Sequence[MapGroup], cluster_ids: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """Return the place of each point's group in the list, -1 for those in none."""
    known = pa.array([group.cluster_id for group in groups], pa.string())
    found = pc.fill_null(pc.index_in(cluster_ids, value_set=known), -1)
    return np.asarray(found.to_numpy(), dtype=np.int32)


def _table(
    members: pa.Table, groups: Sequence[MapGroup], at: npt.NDArray[np.int32], run: Mapping[str, Any]
) -> pa.Table:
    place = pa.array(at, mask=at < 0)  # points in no group have neither path nor label, nor figures of a group
    columns = {
        "id": members["document_id"],
        "cluster": members["cluster_id"],
        "path": pa.array([group.path for group in groups], pa.string()).take(place),
        "label": pa.array([group.label for group in groups], pa.string()).take(place),
        "x": members["x"].cast(pa.float32()),
        "y": members["y"].cast(pa.float32()),
        "similarity": members["cosine_similarity_to_centroid"].cast(pa.float32()),
        "stability": pa.array([group.stability for group in groups], pa.float64()).take(place),
        "confidence": pa.array([group.confidence for group in groups], pa.float64()).take(place),
    }
    about = {"shoal.cluster_id": run["cluster_id"], "shoal.run_id": run["run_id"]}
    return pa.table(columns).replace_schema_metadata(about)

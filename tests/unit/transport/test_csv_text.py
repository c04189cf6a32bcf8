"""Members as CSV."""

from __future__ import annotations

import csv
import io

import pytest

from shoald.transport.mapping.clusters.artifacts import csv_text


@pytest.mark.parametrize(
    ("label", "shown"),
    [("=1+1", "'=1+1"), ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"), ("-1", "-1"), ("a - b", "a - b")],
)
def test_what_a_spreadsheet_would_compute_is_quoted(label: str, shown: str) -> None:
    row = dict.fromkeys(("document_id", "collection_id", "x", "y", "z", "cosine_similarity_to_centroid"), (None,))
    body = b"".join(part.data for part in csv_text([{**row, "cluster_id": ("-1",), "cluster_label": (label,)}]))
    [read] = csv.DictReader(io.StringIO(body.decode()))
    assert (read["cluster_id"], read["cluster_label"]) == ("-1", shown)

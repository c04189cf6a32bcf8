"""`shoal map` from a file to a table and a page, over a whole installation."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoald.cli.rest_client import RestClient
from shoald.cli.status import current_state
from shoald.supervisor.installation import Installation
from shoald.supervisor.ports import free_port
from support.cluster_world import groups_of
from support.stack import Stack, shoal

pytestmark = pytest.mark.acceptance
TOPICS = ("harbour ships anchors", "violin concert bows", "glacier ice valleys", "parser grammar tokens")
SIZES = (80, 60, 40, 30)
_PATIENCE = 600.0
COLUMNS = {
    "id": pa.string(),
    "cluster": pa.string(),
    "path": pa.string(),
    "label": pa.string(),
    "x": pa.float32(),
    "y": pa.float32(),
    "similarity": pa.float32(),
    "stability": pa.float64(),
    "confidence": pa.float64(),
}


def written(file: Path, *, seed: int = 0) -> Path:
    """Write a file of vectors in four groups, with texts that name them and a title."""
    topic = np.repeat(np.arange(len(SIZES)), SIZES)
    table = {
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(groups_of(*SIZES, seed=seed).ravel()), 16),
        "other": pa.array(np.ones((len(topic), 3), np.float32).tolist()),
        "body": [f"about {TOPICS[at]} number {row}" for row, at in enumerate(topic)],
        "title": [f"note {row}" for row in range(len(topic))],
    }
    pq.write_table(pa.table(table), file)
    return file


def lines(file: Path, rows: int) -> Path:
    vectors = groups_of(rows // 2, rows - rows // 2, dimension=8)
    objects = [
        {"key": f"k{row}", "vec": vector.tolist(), "text": f"a text about {'tea' if row < rows // 2 else 'coal'} {row}"}
        for row, vector in enumerate(vectors)
    ]
    file.write_text("\n".join(map(json.dumps, objects)))
    return file


def texts_in(page: Path) -> list[str]:
    """Return the texts that a page carries."""
    content = page.read_bytes().partition(b'type="application/octet-stream">')[2].partition(b"</script>")[0]
    plain = gzip.decompress(base64.b64decode(content))
    length = int.from_bytes(plain[:4], "little")
    parts = {name: (start, size) for name, start, size in json.loads(plain[4 : 4 + length])["parts"]}
    start, size = parts["texts"]
    return plain[4 + length + start : 4 + length + start + size].decode().split("\n")


def mapped(*words: object) -> str:
    """Run the command and return what it printed."""
    done = shoal("map", *map(str, words), timeout=_PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_file_becomes_a_table_and_a_page_and_is_imported_once(shoal_up: Stack, tmp_path: Path) -> None:
    file, output = written(tmp_path / "my notes.parquet"), tmp_path / "out"
    words = [file, "--vectors", "embedding", "--text", "body", "--label", "title", "--output", output]
    told = mapped(*words, "--data", shoal_up.data)
    assert "Importing my notes.parquet" in told
    check_table(tmp_path / "out.parquet")
    assert texts_in(tmp_path / "out.html")[3] == "note 3 · about harbour ships anchors number 3"
    with RestClient(shoal_up.url) as client:
        collection = client.get("/v1/collections/my_notes")
    assert collection["document_count"] == sum(SIZES)
    assert [one["name"] for one in collection["vector_configs"]] == ["embedding"]
    again = mapped(*words, "--data", shoal_up.data)
    assert "my notes.parquet has not changed: its 210 documents stay as they are" in again
    assert "Importing" not in again
    check_table(tmp_path / "out.parquet")


def check_table(path: Path) -> None:
    table = pq.read_table(path)
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == COLUMNS
    frame = pd.read_parquet(path)
    assert frame["id"].tolist() == [f"{row:09d}" for row in range(sum(SIZES))]
    first = frame["path"].str.split(" / ").str[0]
    assert sorted(Counter(first).values(), reverse=True) == list(SIZES)
    for at, topic in enumerate(TOPICS):
        mine = first.iloc[sum(SIZES[:at]) : sum(SIZES[: at + 1])]
        assert set(mine) == {mine.iloc[0]}
        assert any(word in mine.iloc[0].lower() for word in (*topic.split(), topic.split()[0][:6]))
    read = pl.read_parquet(path)
    assert read.filter(pl.col("similarity").is_between(0, 1)).height == sum(SIZES)
    assert read.filter(pl.col("stability").is_between(0, 1)).height == sum(SIZES)
    assert read["confidence"].null_count() == sum(SIZES), "no language model was asked"
    assert read.select(pl.col("x", "y").is_finite().all()).row(0) == (True, True)


def test_a_server_elsewhere_gets_the_documents_by_calls_and_a_changed_file_again(
    shoal_up: Stack, tmp_path: Path
) -> None:
    file = lines(tmp_path / "lines.jsonl", 300)
    words = [file, "--vectors", "vec", "--id", "key", "--url", shoal_up.url, "--output", tmp_path / "lines_map"]
    words += ["--name", "lines", "--algorithm", "kmeans", "--parameters", '{"n_clusters": 2}', "--levels", "0"]
    mapped(*words)
    table = pl.read_parquet(tmp_path / "lines_map.parquet")
    assert table.height == 300
    assert table.group_by("cluster").len()["len"].to_list() == [150, 150]
    assert table.filter(pl.col("id") == "k7").height == 1
    lines(file, 200)
    mapped(*words)
    assert pl.read_parquet(tmp_path / "lines_map.parquet").height == 200


def test_a_collection_is_mapped_as_it_is(shoal_up: Stack, tmp_path: Path) -> None:
    document = {"payload": {"title": "what is in it"}}
    vectors = groups_of(30, 30, dimension=8).tolist()
    documents = [{**document, "document_id": f"d{at}", "vectors": {"v": one}} for at, one in enumerate(vectors)]
    with RestClient(shoal_up.url) as client:
        body = {"collection_id": "kept_things", "documents": documents}
        client.post("/v1/namespaces/default/documents/upsert", body)
    words = ["--collection", "kept_things", "--vectors", "v", "--output", tmp_path / "kept", "--data", shoal_up.data]
    mapped(*words, "--algorithm", "kmeans", "--parameters", '{"n_clusters": 2}', "--levels", "0")
    assert pl.read_parquet(tmp_path / "kept.parquet").height == 60
    assert set(texts_in(tmp_path / "kept.html")) == {"what is in it"}
    file, data = written(tmp_path / "a.parquet"), str(shoal_up.data)
    refused = shoal("map", str(file), "--vectors", "embedding", "--name", "kept_things", "--data", data)
    assert refused.returncode == 1
    assert "there is a collection 'kept_things' that no map was made from" in refused.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--vectors", "vec"], 1, "there is no column 'vec'; there are embedding, other, body, title"),
        (["--vectors", "embedding", "--parameters", '{"resolution": -1}'], 2, "resolution"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    shoal_up: Stack, tmp_path: Path, options: list[str], code: int, told: str
) -> None:
    output = tmp_path / "out"
    words = ["map", str(written(tmp_path / "wrong.parquet")), *options, "--output", str(output)]
    done = shoal(*words, "--data", str(shoal_up.data), timeout=_PATIENCE)
    assert done.returncode == code
    assert ("No map was made: " in done.stderr) == (code == 1), "options are refused before anything begins"
    assert told in done.stderr
    assert not list(tmp_path.glob("out*"))


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_shoal_is_started_for_the_map_and_stopped_again(tmp_path: Path) -> None:
    file, data = written(tmp_path / "notes.parquet"), tmp_path / "data"
    told = mapped(
        file, "--vectors", "embedding", "--data", data, "--port", str(free_port()), "--output", tmp_path / "m"
    )
    assert told.rstrip().endswith("stopped")
    assert current_state(Installation(data)).state == "stopped"
    assert pl.read_parquet(tmp_path / "m.parquet").height == sum(SIZES)


@pytest.mark.nightly
def test_duckdb_reads_the_table(shoal_up: Stack, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    words = [written(tmp_path / "duck.parquet"), "--vectors", "embedding", "--data", shoal_up.data]
    mapped(*words, "--output", tmp_path / "m")
    table = duckdb.read_parquet(str(tmp_path / "m.parquet"))
    rows: Any = table.aggregate("count(*), count(DISTINCT cluster), max(similarity) <= 1").fetchall()[0]
    assert (rows[0], rows[2]) == (sum(SIZES), True)
    assert rows[1] >= len(SIZES)

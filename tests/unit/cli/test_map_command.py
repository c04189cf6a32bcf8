from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from shoald.adapters.parquet.chosen_columns import ChosenColumns
from shoald.cli.map_command import map_vectors
from shoald.cli.map_import import MARK, MapError, MapSource, imported
from shoald.cli.map_run import MapWish, definition_of
from shoald.cli.map_server import MapServer
from shoald.cli.map_table import groups_of

ELSEWHERE = MapServer("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "give a file, or --collection"),
        ({"file": Path("v.npy"), "collection": "things"}, "give a file, or --collection"),
        ({"collection": "things", "parameters": "{"}, "--parameters is no JSON"),
        ({"collection": "things", "parameters": "[1]"}, "--parameters must be a JSON object"),
        ({"collection": "things", "algorithm": "leidn"}, "--algorithm must be one of kmeans"),
        (
            {"collection": "things", "algorithm": "kmeans", "parameters": '{"n_clusters": 1, "n_init": "x"}'},
            "--parameters: n_clusters must be at least 2; --parameters: n_init must be an integer",
        ),
        ({"collection": "things", "output": Path("nowhere/at/all")}, "--output: there is no folder nowhere/at"),
        ({"file": Path("v.parquet"), "output": Path("v")}, "--output v would write over v.parquet"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_starts(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        map_vectors(**asked)
    assert told in refused.value.message


def test_parameters_that_belong_to_another_algorithm_are_left_to_the_runs_warnings() -> None:
    with pytest.raises(typer.BadParameter, match="--output"):
        map_vectors(collection="things", parameters='{"n_clusters": 1}', output=Path("nowhere/at/all"))


class _Server:
    """Holds one collection and notes what is asked of it."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held
        self.asked: list[str] = []

    def get(self, path: str, **_: Any) -> Any:
        self.asked.append(f"GET {path}")
        return self.held

    def post(self, path: str, body: Any = None) -> Any:
        self.asked.append(f"POST {path} {len(body.get('documents', ()))}")
        return self.held

    def patch(self, path: str, body: Any) -> Any:
        self.asked.append(f"PATCH {path}")
        self.held["metadata"] = body["metadata"]
        return self.held

    def delete(self, path: str) -> Any:
        self.asked.append(f"DELETE {path}")


def collection(**metadata: Any) -> dict[str, Any]:
    return {
        "collection_id": "col_1",
        "collection_name": "things",
        "namespace_id": "ns_1",
        "document_count": 300,
        "metadata": metadata,
    }


def source(folder: Path, rows: int = 300) -> MapSource:
    np.save(folder / "v.npy", np.ones((rows, 2), np.float32))
    return MapSource(file=folder / "v.npy", columns=ChosenColumns())


def test_a_file_is_sent_in_calls_of_250_and_then_known(tmp_path: Path) -> None:
    server: Any = _Server(collection(**{MARK: {}}))
    imported(server, ELSEWHERE, source(tmp_path), "things")
    upserts = [one.rpartition(" ")[2] for one in server.asked if one.startswith("POST /v1/namespaces/ns_1/documents")]
    assert upserts == ["250", "50"]
    assert "DELETE /v1/collections/col_1" in server.asked  # what was there of another file
    server.asked.clear()
    imported(server, ELSEWHERE, source(tmp_path), "things")
    assert server.asked == ["GET /v1/collections/things"]


@pytest.mark.parametrize("change", ["bytes", "columns", "documents"])
def test_what_has_changed_is_imported_again(tmp_path: Path, change: str) -> None:
    server: Any = _Server(collection(**{MARK: {}}))
    first = source(tmp_path)
    imported(server, ELSEWHERE, first, "things")
    server.asked.clear()
    if change == "documents":
        server.held["document_count"] = 299
    again = source(tmp_path, rows=299 if change == "bytes" else 300)
    if change == "columns":
        (tmp_path / "v.jsonl").write_text("\n".join(json.dumps({"id": at, "v": [1, 2]}) for at in range(3)))
        again = MapSource(file=tmp_path / "v.jsonl", columns=ChosenColumns(vectors="v"))
        assert again.fingerprint() != MapSource(file=again.file, columns=ChosenColumns()).fingerprint()
    imported(server, ELSEWHERE, again, "things")
    assert any("documents/upsert" in one for one in server.asked)


def test_an_import_that_was_broken_off_is_not_taken_for_the_file_before(tmp_path: Path) -> None:
    """Both files have as many rows: only the mark tells them apart."""
    server: Any = _Server(collection(**{MARK: {}, "owner": "me"}))
    first = source(tmp_path)
    imported(server, ELSEWHERE, first, "things")
    np.save(tmp_path / "w.npy", np.zeros((300, 2), np.float32))
    patch, server.patch = server.patch, lambda path, body: patch(path, body) if not body["metadata"][MARK] else _stop()
    with pytest.raises(KeyboardInterrupt):
        imported(server, ELSEWHERE, MapSource(file=tmp_path / "w.npy", columns=ChosenColumns()), "things")
    server.patch = patch
    server.asked.clear()
    imported(server, ELSEWHERE, first, "things")
    assert any("documents/upsert" in one for one in server.asked)
    assert server.held["metadata"]["owner"] == "me"


def _stop() -> None:
    raise KeyboardInterrupt


def test_rows_with_the_id_of_another_are_counted_and_the_first_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows go out in several calls, and what was said is said again when the file is not read again."""
    ids = ["a", *(f"k{at}" for at in range(300)), "k7", "a", "a"]
    (tmp_path / "v.jsonl").write_text("\n".join(json.dumps({"id": one, "v": [1, 2]}) for one in ids))
    server: Any = _Server({**collection(**{MARK: {}}), "document_count": 301})
    file = MapSource(file=tmp_path / "v.jsonl", columns=ChosenColumns())
    for _ in range(2):
        imported(server, ELSEWHERE, file, "things")
        told = capsys.readouterr().err
        assert "note: 3 rows of v.jsonl have the id of a row before them, the first of them 'k7': the last row" in told
    imported(server, ELSEWHERE, source(tmp_path, rows=301), "things")
    assert "note" not in capsys.readouterr().err
    assert "repeated" not in server.held["metadata"][MARK]


def test_a_collection_that_no_file_became_is_left_alone(tmp_path: Path) -> None:
    server: Any = _Server(collection())
    with pytest.raises(MapError, match="no map was made from: choose another name with --name"):
        imported(server, ELSEWHERE, source(tmp_path), "things")
    assert server.asked == ["GET /v1/collections/things"]


def test_numbers_that_are_none_name_their_document(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([[1.0, 2.0], [np.nan, 0.0]]))
    bad = MapSource(file=tmp_path / "v.npy", columns=ChosenColumns())
    with pytest.raises(MapError, match="the vector of document '1'"):
        imported(_Server(collection(**{MARK: {}})), ELSEWHERE, bad, "things")  # type: ignore[arg-type]


def test_another_wish_is_another_cluster_and_the_same_is_found_again() -> None:
    def name(**changed: Any) -> str:
        wish = MapWish(**{"algorithm": "leiden", "levels": 1, "parameters": {}, "texts": ("text",), **changed})
        return str(definition_of(_Server({}), collection(), wish)["cluster_name"])  # type: ignore[arg-type]

    others: list[dict[str, Any]] = [
        {"algorithm": "kmeans"},
        {"levels": 0},
        {"parameters": {"resolution": 2}},
        {"texts": ()},
    ]
    assert len({name(), name(), *(name(**other) for other in others)}) == 5


def test_a_language_model_names_the_groups_only_when_one_is_named() -> None:
    wish: dict[str, Any] = {"algorithm": "leiden", "levels": 0, "parameters": {}}

    def labeling(**more: Any) -> Any:
        return definition_of(_Server({}), collection(), MapWish(**wish, **more)).get("llm_labeling")  # type: ignore[arg-type]

    inputs = {"input_mappings": [{"input_key": "body", "source_type": "payload", "path": "body"}]}
    assert labeling() is None
    assert labeling(texts=("body",)) == {"enabled": False, "labeling_inputs": inputs}
    assert labeling(labeling={"model_name": "m"}) == {"enabled": True, "model_name": "m"}
    both = labeling(labeling={"model_name": "m"}, texts=("body",))
    assert both == {"enabled": True, "model_name": "m", "labeling_inputs": inputs}


def test_vectors_that_a_collection_has_not_are_named() -> None:
    features = {"features": [{"feature_uri": "u", "vector_index": {"name": "v"}}]}
    wish = MapWish(algorithm="leiden", levels=0, parameters={}, vectors="w")
    with pytest.raises(MapError, match="no vectors 'w'; there are v"):
        definition_of(_Server(features), collection(), wish)  # type: ignore[arg-type]


def test_paths_lead_from_the_first_level_down_and_stability_comes_from_above_but_confidence_does_not() -> None:
    groups = groups_of(
        [
            {"cluster_id": "a", "label": "Ships", "stability": 0.7, "confidence": 0.9},
            {"cluster_id": "b", "label": "Anchors", "parent_cluster_id": "a", "stability": None},
            {"cluster_id": "c", "label": None, "parent_cluster_id": "b"},
            {"cluster_id": "cl_cluster_noise", "label": "noise"},
        ]
    )
    assert [group.path for group in groups] == ["Ships", "Ships / Anchors", "Ships / Anchors / c"]
    assert [group.confidence for group in groups] == [0.9, None, None]
    assert [(group.parent, group.level, group.stability) for group in groups] == [
        (-1, 0, 0.7),
        (0, 1, 0.7),
        (1, 2, 0.7),
    ]

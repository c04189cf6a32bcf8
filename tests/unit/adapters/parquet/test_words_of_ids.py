from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.adapters.parquet.run_tables import ParquetRunTables
from shoald.domain.failures import DataCorrupt

TABLES = ParquetRunTables()
ids = st.text("abcé", min_size=1, max_size=3)
rows_of_a_run = st.dictionaries(
    st.tuples(ids, st.sampled_from(["col_1", "col_2"])), st.sampled_from(["cl_0", "cl_1", "-1"]), max_size=12
)


def written(rows: dict[tuple[str, str], str], path: Path) -> str:
    columns = {
        "point_id": [one for one, _ in rows],
        "collection_id": [collection for _, collection in rows],
        "cluster_id": list(rows.values()),
    }
    sink = io.BytesIO()
    TABLES.write(sink, columns, metadata={})
    path.write_bytes(sink.getvalue())
    return str(path)


@settings(max_examples=50, deadline=None)
@given(rows_of_a_run, st.lists(ids, unique=True, max_size=12), st.sampled_from(["col_1", "col_2"]))
def test_each_id_has_the_word_of_its_row_in_one_collection(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[tuple[str, str], str], wanted: list[str], collection: str
) -> None:
    path = written(rows, tmp_path_factory.mktemp("rows") / "members.parquet")
    asked = np.array([one.encode() for one in wanted], dtype=np.bytes_)
    words, numbers = TABLES.words_of(path, "cluster_id", asked, where={"collection_id": collection})
    assert numbers.dtype == np.int32
    found = [None if at < 0 else words[at] for at in numbers.tolist()]
    assert found == [rows.get((one, collection)) for one in wanted]


def test_a_damaged_file_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "members.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataCorrupt):
        TABLES.words_of(str(path), "cluster_id", np.array([b"a"]), where={"collection_id": "col_1"})

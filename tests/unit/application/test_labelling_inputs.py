"""What models are shown of documents, as the input mappings of the guide say."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from shoald.adapters.outward_addresses import CheckedAddresses
from shoald.application.labelling_inputs import LARGEST_MEDIUM, LabellingInputs, SampledDocument, chosen_samples
from shoald.domain.failures import ArtifactNotFound
from shoald.domain.labelling.label_plan import label_plan
from shoald.domain.labelling.prompts import PartKind

KEY = "blobs/aa/" + "a" * 64
PNG = b"\x89PNG\r\n"
PUBLIC = "93.184.215.14"


@dataclass
class Store:
    """An object store that signs, or does not."""

    signs: bool
    size_of: int = len(PNG)
    read: list[str] = field(default_factory=list)

    def key_of(self, uri: str) -> str:
        if not uri.startswith("s3://ours/"):
            raise ArtifactNotFound
        return uri.removeprefix("s3://ours/")

    def signed_url(self, key: str, *, seconds: int, filename: str) -> str | None:
        return f"https://s3.example/{key}?for={seconds}&as={filename}" if self.signs else None

    def size(self, key: str) -> int:
        assert key == KEY
        return self.size_of

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return PNG


@dataclass
class Model:
    """What a provider takes."""

    takes: frozenset[PartKind] = frozenset({PartKind.IMAGE})
    fetches: frozenset[PartKind] = frozenset({PartKind.IMAGE})


def shown(
    payload: Mapping[str, Any],
    *mappings: Mapping[str, Any],
    store: Store | None = None,
    model: Model | None = None,
    later: Mapping[str, Any] | None = None,
) -> Any:
    """Return what is shown of one document, which has another payload `later`."""
    addresses = CheckedAddresses(look_up=lambda host, _: [PUBLIC if host == "img.example" else "10.0.0.1"])
    inputs: Any = LabellingInputs(objects=store or Store(signs=True), addresses=addresses)  # type: ignore[arg-type]
    plan = label_plan({"labeling_inputs": {"input_mappings": list(mappings)}} if mappings else {})
    vectors = {"v": np.array([0.125, 0.5], dtype=np.float32)}
    document = SampledDocument(payload=payload, read_again=lambda: payload if later is None else later, vectors=vectors)
    return inputs.shown(plan, model or Model(), [document])


def text(path: str, key: str = "text", **more: Any) -> dict[str, Any]:
    return {"input_key": key, "source_type": "payload", "path": path, **more}


BLOB = {"input_key": "image_url", "source_type": "blob"}


def test_texts_of_one_key_are_behind_one_another_and_others_on_their_lines() -> None:
    payload = {"headline": "Ships", "metadata": {"description": "of old"}, "tags": ["sea", "wood"]}
    found = shown(payload, text("headline"), text("metadata.description"), text("tags.0", "tag"))
    assert found.documents[0].text == "Ships of old\ntag: sea"


def test_literals_and_vectors_are_shown() -> None:
    literal = {"input_key": "text", "source_type": "literal", "override": "Category: marketing videos"}
    vector = {"input_key": "direction", "source_type": "vector", "path": "v"}
    assert shown({}, literal, vector).documents[0].text == "Category: marketing videos\ndirection: [0.125, 0.5]"


def test_without_mappings_the_payload_is_shown_as_json() -> None:
    assert shown({"start_time": 3}).documents[0].text == '{"start_time": 3}'


@pytest.mark.parametrize(
    ("path", "uri"),
    [("document_blobs.0.url", "derived"), ("source_blobs.0.url", "source"), ("0.url", "derived")],
)
def test_blobs_are_found_where_the_guide_says(path: str, uri: str) -> None:
    payload = {
        "source_blobs": [{"url": f"s3://ours/{KEY}?source"}],
        "document_blobs": [{"url": f"s3://ours/{KEY}?derived"}],
    }
    (part,) = shown(payload, {**BLOB, "path": path}).documents[0].media
    assert part.source == f"s3://ours/{KEY}?{uri}"
    only = {"source_blobs": payload["source_blobs"]}
    assert shown(only, {**BLOB, "path": "0.url"}).documents[0].media[0].source.endswith("?source")


def test_stored_objects_are_presigned_where_the_provider_fetches_and_inline_elsewhere() -> None:
    payload = {"image": f"s3://ours/{KEY}"}
    (part,) = shown(payload, text("image", "image_url")).documents[0].media
    assert (part.url, part.source) == (f"https://s3.example/{KEY}?for=3600&as=image", f"s3://ours/{KEY}")
    for store, model in ((Store(signs=False), Model()), (Store(signs=True), Model(fetches=frozenset()))):
        (part,) = shown(payload, text("image", "image_url"), store=store, model=model).documents[0].media
        assert part.url is None
        assert store.read == [], "bytes are read when they are sent"
        assert part.load() == PNG


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def test_a_picture_in_a_document_is_known_by_its_bytes_and_read_again_when_it_is_sent() -> None:
    payload = {"images": [data_url(b"other"), data_url(PNG)]}
    _, part = shown(payload, text("images", "image_url")).documents[0].media
    assert (part.data, part.media_type, part.url) == (None, "image/png", None)
    assert part.source == f"data:{hashlib.sha256(PNG).hexdigest()}"
    assert part.load() == PNG


@pytest.mark.parametrize("later", [{}, {"image": data_url(b"other")}, {"image": "no url"}])
def test_a_picture_that_is_another_one_meanwhile_is_not_sent(later: Mapping[str, Any]) -> None:
    """An answer is known by the picture that was seen first."""
    (part,) = shown({"image": data_url(PNG)}, text("image", "image_url"), later=later).documents[0].media
    with pytest.raises(ArtifactNotFound):
        part.load()


def test_a_picture_in_a_document_may_be_as_large_as_a_stored_one_and_no_larger() -> None:
    (part,) = shown({"image": data_url(b"x" * LARGEST_MEDIUM)}, text("image", "image_url")).documents[0].media
    assert len(part.load()) == LARGEST_MEDIUM
    found = shown({"image": data_url(b"x" * (LARGEST_MEDIUM + 1_000))}, text("image", "image_url"))
    assert found.documents[0].media == ()
    assert "a data: URL has more than" in found.left_out[0]


REFUSED: Sequence[tuple[str, str]] = [
    ("http://127.0.0.1/a.png", "not an address on the public internet"),
    ("https://metadata.example/a.png", "not an address on the public internet"),
    ("file:///etc/passwd", "is no stored object"),
    ("s3://another/blobs/aa", "is no stored object"),
    ("s3://ours/runs/run_1/0/members.parquet", "is no stored object"),
    ("data:image/png,plain", "is no stored object"),
]


@pytest.mark.parametrize(("uri", "why"), REFUSED)
def test_what_must_not_be_fetched_is_left_out_with_the_reason(uri: str, why: str) -> None:
    found = shown({"image": uri, "title": "Ships"}, text("title"), text("image", "image_url"))
    assert found.documents[0].text == "Ships"
    assert found.documents[0].media == ()
    (said,) = found.left_out
    assert why in said


def test_public_addresses_go_as_they_are_and_large_objects_not_at_all() -> None:
    found = shown({"image": "https://img.example/a.png"}, text("image", "image_url"))
    assert found.documents[0].media[0].url == "https://img.example/a.png"
    store = Store(signs=False, size_of=LARGEST_MEDIUM + 1)
    found = shown({"image": f"s3://ours/{KEY}"}, text("image", "image_url"), store=store)
    assert "more than" in found.left_out[0]


def test_what_a_provider_does_not_take_is_left_out() -> None:
    found = shown({"film": "https://img.example/a.mp4"}, text("film", "video_url"))
    assert found.left_out == ("video: the provider takes none",)


STEPS = (15, 22, 30, 38, 45, 53, 61, 68, 76, 84, 91, 99)


@pytest.mark.parametrize(
    ("labeling", "places"),
    [
        ({"max_samples_per_cluster": 4}, [0, 1, 2, 3]),
        ({"max_samples_per_cluster": 4, "sample_selection_strategy": "representative"}, [0, 1, 50, 99]),
        ({"max_samples_per_cluster": 20, "sample_selection_strategy": "representative"}, [*range(8), *STEPS]),
        ({"max_samples_per_cluster": 1}, [0]),
    ],
)
def test_samples_are_the_nearest_or_spread_outwards(labeling: dict[str, Any], places: list[int]) -> None:
    assert chosen_samples(label_plan(labeling), 100, size=100, similarity=0.8) == places


def test_larger_and_looser_groups_show_more() -> None:
    plan = label_plan({})
    counts = [len(chosen_samples(plan, 200, size=size, similarity=how)) for size, how in ((10, 0.9), (1000, 0.9))]
    loose = len(chosen_samples(plan, 200, size=1000, similarity=0.2))
    assert 3 <= counts[0] < counts[1] < loose <= 20

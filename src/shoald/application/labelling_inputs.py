"""Documents go in; what a model is shown of each comes out, as the input mappings of a definition say."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from shoald.application.ports.language_model import LanguageModel
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.outward_addresses import OutwardAddresses
from shoald.domain.failures import AddressRefused, ArtifactNotFound, Unavailable
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.label_plan import InputMapping, LabelPlan
from shoald.domain.labelling.prompt_writing import LONGEST_TEXT, ShownDocument, legible, medium_of
from shoald.domain.labelling.prompts import PartKind, PromptPart, sniffed
from shoald.domain.media_types import guessed_type
from shoald.domain.vocabulary import InputSource, SampleSelection

LARGEST_MEDIUM = 8 << 20
"""Bytes of a picture, film or sound that go inline; larger ones are left out."""

MOST_MEDIA = 12
"""Media shown of one group; all of its documents have their texts."""

_LINK_SECONDS = 3_600
_UPLOADS = "blobs/"
_BLOB_FIELDS = ("document_blobs", "source_blobs")
_SHOWN_NUMBERS = 16
_SHARE_OF_NEAREST = 0.4
"""Of the documents that represent a group."""
_LONGEST_HEAD = 200
"""Characters before the bytes of a `data:` URL."""
_TEXT = "text"
_TOO_MANY = f"only the first {MOST_MEDIA} media of a group are shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledDocument:
    """A document that is shown: its payload, its vectors where they are wanted, and how its payload is read again.

    What is too large to be kept for all groups at once, a picture in the payload, is read again when it is sent.
    """

    payload: JsonObject
    read_again: Callable[[], JsonObject]
    vectors: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of one group's documents, and what had to be left out, in sentences."""

    documents: tuple[ShownDocument, ...]
    left_out: tuple[str, ...] = ()


class LabellingInputs:
    """Makes what models are shown.

    Media of our own store are presigned where it can, else they go inline; other URLs must be such as webhooks may
    have, and the provider fetches them.
    """

    def __init__(self, *, objects: ObjectStore, addresses: OutwardAddresses) -> None:
        self._objects = objects
        self._addresses = addresses

    def shown(self, plan: LabelPlan, model: LanguageModel, documents: Sequence[SampledDocument]) -> Shown:
        """Return what a model is shown of documents."""
        found, left_out, media = [], dict[str, None](), 0
        for document in documents:
            text, parts, missing = self._document(plan, model, document, room=MOST_MEDIA - media)
            media += len(parts)
            left_out |= dict.fromkeys(missing)
            found.append(ShownDocument(text=text, media=tuple(parts)))
        return Shown(documents=tuple(found), left_out=tuple(left_out))

    def _document(
        self, plan: LabelPlan, model: LanguageModel, document: SampledDocument, *, room: int
    ) -> tuple[str, list[PromptPart], list[str]]:
        if not plan.mappings:
            return legible(_json(document.payload), plan.text_length), [], []
        texts: dict[str, list[str]] = {}
        parts: list[PromptPart] = []
        missing: list[str] = []
        for mapping in plan.mappings:
            value = mapped_value(mapping, document.payload, document.vectors)
            kind = medium_of(mapping.key)
            if kind is None:
                texts.setdefault(mapping.key, []).extend([_as_text(value)] if value not in (None, "", [], {}) else [])
                continue
            for at, uri in enumerate(_uris(value)):
                again = partial(_uri_again, mapping, at, document.vectors, document.read_again)
                part = _TOO_MANY if len(parts) >= room else self._medium(kind, uri, model, again)
                if isinstance(part, str):
                    missing.append(part)
                else:
                    parts.append(part)
        return _cut(texts, plan.text_length), parts, missing

    def _medium(self, kind: PartKind, uri: str, model: LanguageModel, again: Callable[[], str]) -> PromptPart | str:
        """Return a medium as it can be sent, or why it cannot."""
        if kind not in model.takes:
            return f"{kind.value}: the provider takes none"
        try:
            if uri.startswith("data:"):
                return _inline(kind, uri, again)
            if uri.startswith(("http://", "https://")):
                self._addresses.resolve(uri)
                return PromptPart(kind=kind, url=uri, media_type=guessed_type(urlsplit(uri).path))
            return self._stored(kind, uri, by_link=kind in model.fetches)
        except (AddressRefused, Unavailable) as failure:
            return f"{kind.value}: {failure.message}"
        except (ArtifactNotFound, ValueError):
            return f"{kind.value}: {_shortened(uri)} is no stored object, https:// or data: URL"

    def _stored(self, kind: PartKind, uri: str, *, by_link: bool) -> PromptPart | str:
        """Return an upload of our store: their keys are hashes of their bytes, so whoever names one knows it."""
        key = self._objects.key_of(uri)
        if not key.startswith(_UPLOADS):
            raise ArtifactNotFound
        link = self._objects.signed_url(key, seconds=_LINK_SECONDS, filename=kind.value) if by_link else None
        if link is not None:
            return PromptPart(kind=kind, url=link, source=uri)
        if self._objects.size(key) > LARGEST_MEDIUM:
            return f"{kind.value}: {_shortened(uri)} has more than {LARGEST_MEDIUM} bytes"
        return PromptPart(kind=kind, load=lambda: self._objects.get(key), source=uri)


def chosen_samples(plan: LabelPlan, found: int, *, size: int, similarity: float | None) -> list[int]:
    """Return which of a group's members are shown: places in their order, the nearest to the centroid first.

    `nearest` takes the first ones, `representative` two fifths of them so, the others at equal steps out to the last.

    >>> from shoald.domain.labelling.label_plan import label_plan
    >>> plan = label_plan({"max_samples_per_cluster": 5, "sample_selection_strategy": "representative"})
    >>> chosen_samples(plan, 11, size=11, similarity=None)
    [0, 1, 4, 7, 10]
    """
    wanted = min(found, plan.shown_of(size, similarity))
    if plan.selection == SampleSelection.NEAREST or wanted == found or wanted <= 1:
        return list(range(wanted))
    near = max(1, round(_SHARE_OF_NEAREST * wanted))
    step = (found - near) / (wanted - near)
    return [*range(near), *(round(near - 1 + step * at) for at in range(1, wanted - near + 1))]


def mapped_value(mapping: InputMapping, payload: JsonObject, vectors: Mapping[str, Any]) -> Any:
    """Return what a mapping takes from a document; None for nothing."""
    if mapping.source == InputSource.LITERAL:
        return mapping.value
    if mapping.source == InputSource.VECTOR:
        return _numbers(vectors.get(mapping.path or mapping.key))
    words = [word for word in mapping.path.replace("[", ".").replace("]", "").split(".") if word]
    if mapping.source == InputSource.BLOB and words and words[0].isdecimal():
        found = (at_path(payload, [one, *words]) for one in _BLOB_FIELDS)
        return next((value for value in found if value is not None), None)
    return at_path(payload, words or [mapping.key])


def at_path(value: Any, words: Sequence[str]) -> Any:
    """Return what stands at a path of names and numbers; after a list, a name is looked for in all of its objects.

    >>> at_path({"a": [{"b": 1}, {"b": 2}]}, ["a", "1", "b"]), at_path({"a": [{"b": 1}, {"b": 2}]}, ["a", "b"])
    (2, [1, 2])
    """
    for at, word in enumerate(words):
        if isinstance(value, list) and not word.isdecimal():
            found = [at_path(one, words[at:]) for one in value]
            return [one for one in found if one is not None] or None
        if isinstance(value, list):
            value = value[int(word)] if int(word) < len(value) else None
        else:
            value = value.get(word) if isinstance(value, Mapping) else None
    return value


def _uris(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        uri = one.get("url") if isinstance(one, Mapping) else one
        if isinstance(uri, str) and uri:
            yield uri


def _uri_again(mapping: InputMapping, at: int, vectors: Mapping[str, Any], read_again: Callable[[], JsonObject]) -> str:
    """Return what a mapping takes from the document as it is now; empty where there is no such thing any more."""
    found = list(_uris(mapped_value(mapping, read_again(), vectors)))
    return found[at] if at < len(found) else ""


def _inline(kind: PartKind, uri: str, again: Callable[[], str]) -> PromptPart | str:
    """Return a medium that stands in its document, without its bytes: those of all groups would be too many."""
    if len(uri) > LARGEST_MEDIUM * 4 // 3 + _LONGEST_HEAD:
        return f"{kind.value}: a data: URL has more than {LARGEST_MEDIUM} bytes"
    data = _decoded(uri)
    source = _known_by(data)
    return PromptPart(kind=kind, load=lambda: _the_same(again(), source), media_type=sniffed(data, kind), source=source)


def _the_same(uri: str, source: str) -> bytes:
    """Return the bytes of a medium that was seen before; raises `ArtifactNotFound` where it is another one now."""
    try:
        data = _decoded(uri)
    except ValueError as error:
        raise ArtifactNotFound("The document has changed meanwhile.") from error
    if _known_by(data) != source:
        raise ArtifactNotFound("The document has changed meanwhile.")
    return data


def _known_by(data: bytes) -> str:
    return f"data:{hashlib.sha256(data).hexdigest()}"


def _decoded(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        raise ValueError("only base64 is taken")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _cut(texts: Mapping[str, Sequence[str]], most: int) -> str:
    """Put texts of one key behind one another; those of other keys than `text` on lines of their own, after the key."""
    lines = []
    for key, values in texts.items():
        joined = legible(" ".join(values), most)
        if joined:
            lines.append(joined if key == _TEXT else f"{key}: {joined}")
    return "\n".join(lines)[:LONGEST_TEXT]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=dict)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _numbers(vector: Any) -> list[float] | None:
    """Return the first numbers of a vector, as a model may look at them."""
    if vector is None:
        return None
    first = vector if getattr(vector, "ndim", 1) == 1 else vector[0]
    return [round(float(one), 4) for one in first[:_SHOWN_NUMBERS]]


def _shortened(uri: str, most: int = 120) -> str:
    plain = legible(uri.split("?", maxsplit=1)[0], most + 1)
    return plain if len(plain) <= most else f"{plain[:most]}…"

"""What a build reads of an index's configuration; whatever else stands there is the user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shoald.domain.failures import InvalidIndexConfig
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import EmbeddingProvider, IndexKind

_LARGEST = {
    "hnsw_m": 64,
    "hnsw_ef_construction": 2_000,
    "hnsw_ef_search": 10_000,
    "ivf_lists": 1_000_000,
    "ivf_probes": 1_000_000,
}
_LEAST = {"hnsw_m": 4, "hnsw_ef_construction": 8}
_KIND_OF_NUMBER = {"hnsw": IndexKind.HNSW, "ivf": IndexKind.IVF}
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_STORAGE_NAME = re.compile(rf"shoal_(?:(.*)_)?({_UUID})_a(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShape:
    """How vectors are arranged for searching; a number that is None is chosen by who builds.

    A number that belongs to one kind decides for it. `hnsw_m`: links of a node; `hnsw_ef_construction` and
    `hnsw_ef_search`: how many nodes are looked at, at least, to place one and to answer; `ivf_lists`: into how many
    lists rows are sorted; `ivf_probes`: how many of them a search looks into.
    """

    kind: IndexKind = IndexKind.AUTO
    hnsw_m: int | None = None
    hnsw_ef_construction: int | None = None
    hnsw_ef_search: int | None = None
    ivf_lists: int | None = None
    ivf_probes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """Who embeds, what the user wishes the storage to be called, and how vectors are arranged."""

    embedding_provider: str
    embedding_model_name: str | None
    collection_name: str
    shape: IndexShape


def read_config(config: JsonObject) -> IndexConfig:
    """Return the configuration with its defaults; raises `InvalidIndexConfig` naming the field that is wrong.

    >>> read_config({"embedding_provider": "Local", "mine": 1}).embedding_provider
    'local'
    >>> [read_config(config).shape.kind.value for config in ({"exact": True}, {"hnsw_m": 16}, {})]
    ['flat', 'hnsw', 'auto']
    """
    return IndexConfig(
        embedding_provider=(_text(config, "embedding_provider") or EmbeddingProvider.MOCK).lower(),
        embedding_model_name=_text(config, "embedding_model_name"),
        collection_name=label_of(_text(config, "collection_name") or ""),
        shape=_shape(config),
    )


def label_of(name: str) -> str:
    """Return what the user called a storage: builds write the whole name of theirs to where the wish stood.

    >>> label_of("shoal_my_notes_6b1f2c3a-0000-4000-8000-000000000000_a2")
    'my_notes'
    """
    whole = _STORAGE_NAME.fullmatch(name)
    return (whole[1] or "") if whole else name


def storage_name(label: str, build_id: str, attempt: int) -> str:
    """Return the name of one attempt's storage: no two builds, and no two attempts, share one.

    >>> storage_name("my notes", "b", 1)
    'shoal_my_notes_b_a1'
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", label)[:96]
    return "_".join(filter(None, ("shoal", plain, build_id, f"a{attempt}")))


def build_of(storage: str) -> str | None:
    """Return the id of the build whose storage has this name, None for a name that is none of ours.

    >>> build_of("shoal_x_6b1f2c3a-0000-4000-8000-000000000000_a1")
    '6b1f2c3a-0000-4000-8000-000000000000'
    """
    whole = _STORAGE_NAME.fullmatch(storage)
    return whole[2] if whole else None


def refuse_kind(kind: str, *known: str) -> InvalidIndexConfig:
    """Return the failure that names a kind of index which a provider does not have, and those it has."""
    message = f"config.kind {str(kind)!r} is not known here; known: {', '.join(known)}."
    return InvalidIndexConfig(message, detail={"field": "kind", "known": list(known)})


def _shape(config: JsonObject) -> IndexShape:
    word = (_text(config, "kind") or IndexKind.AUTO).lower()
    if word not in set(IndexKind):
        raise refuse_kind(word, *IndexKind)
    kind = IndexKind(word)
    if _is_exact(config):
        if kind not in {IndexKind.AUTO, IndexKind.FLAT}:
            message = f"config.exact compares all vectors, config.kind {str(kind)!r} does not."
            raise InvalidIndexConfig(message, detail={"field": "exact"})
        kind = IndexKind.FLAT
    numbers = {name: _number(config, name) for name in _LARGEST}
    for name, number in numbers.items():
        if number is None:
            continue
        kind = kind if kind != IndexKind.AUTO else _KIND_OF_NUMBER[name.split("_")[0]]
        if kind != _KIND_OF_NUMBER[name.split("_")[0]]:
            message = f"config.{name} means nothing to an index of the kind {kind}."
            raise InvalidIndexConfig(message, detail={"field": name})
    return IndexShape(kind=kind, **numbers)


def _is_exact(config: JsonObject) -> bool:
    exact = config.get("exact")
    if exact is not None and not isinstance(exact, bool):
        raise InvalidIndexConfig("config.exact must be true or false.", detail={"field": "exact"})
    return bool(exact)


def _number(config: JsonObject, name: str) -> int | None:
    value = config.get(name)
    if value is None:
        return None
    least, most = _LEAST.get(name, 1), _LARGEST[name]
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not is_whole or not least <= value <= most:
        message = f"config.{name} must be a whole number from {least} to {most}."
        raise InvalidIndexConfig(message, detail={"field": name, "least": least, "most": most})
    return int(value)


def _text(config: JsonObject, name: str) -> str | None:
    value = config.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidIndexConfig(f"config.{name} must be text.", detail={"field": name})
    return value

"""Which parameters each loader has, and how a version's defaults go under those of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shoald.domain.vocabulary import LoaderType

NAMES: Mapping[LoaderType, tuple[str, ...]] = {
    LoaderType.PDF: ("backend",),
    LoaderType.DOCX: ("regex_patterns", "exclude_patterns", "include_parent_content"),
    LoaderType.CSV: ("chunk_size",),
    LoaderType.EXCEL: (),
    LoaderType.JSON: ("jq_schema",),
    LoaderType.QA: (),
    LoaderType.TABLE: ("mode", "group_by"),
    LoaderType.TEXT: (),
    LoaderType.MARKDOWN: (),
    LoaderType.HTML: (),
    LoaderType.PPTX: (),
    LoaderType.EML: (),
}


def with_defaults(loader: LoaderType, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call over a version's defaults, of which only those count that the loader has.

    >>> with_defaults(LoaderType.CSV, {}, {"chunk_size": 5, "loader_type": "csv", "jq_schema": "."})
    {'chunk_size': 5}
    """
    return {name: value for name, value in defaults.items() if name in NAMES[loader]} | dict(given)

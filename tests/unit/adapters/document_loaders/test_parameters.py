"""Every loader has the parameters that the core knows of, and refuses others by name."""

from __future__ import annotations

import importlib
import io

import pytest

from shoald.adapters.document_loaders.reading import UnusableFile
from shoald.domain.loader_params import NAMES, with_defaults
from shoald.domain.vocabulary import LoaderType


@pytest.mark.parametrize("kind", LoaderType)
def test_a_loader_knows_the_parameters_that_are_written_down(kind: LoaderType) -> None:
    load = importlib.import_module(f"shoald.adapters.document_loaders.{kind}").load
    known = ", ".join(NAMES[kind]) or "none"
    with pytest.raises(UnusableFile, match=rf"loader_params\.nonsense does not apply here; known: {known}$"):
        list(load(io.BytesIO(b""), source="x", params={"nonsense": 1}))


@pytest.mark.parametrize("kind", LoaderType)
def test_defaults_of_other_loaders_do_not_apply(kind: LoaderType) -> None:
    everything = {name: 1 for names in NAMES.values() for name in names} | {"loader_type": "csv"}
    assert set(with_defaults(kind, {}, everything)) == set(NAMES[kind])
    assert with_defaults(kind, {"given": 2}, {"given": 1}) == {"given": 2}

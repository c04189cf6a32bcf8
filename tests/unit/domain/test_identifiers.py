"""Ids of the RAG API, one at a time and many."""

from __future__ import annotations

import uuid
from itertools import islice

from shoald.domain.identifiers import new_uuid, new_uuids


def test_ids_are_random_uuids_of_version_four() -> None:
    made = [new_uuid(), *islice(new_uuids(), 600), *islice(new_uuids(), 600)]
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
    assert {text[19] for text in made} == set("89ab")

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shoald.application.file_links import FileLink, FileLinks
from shoald.domain.failures import FileLinkNotFound


class _Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def test_a_link_opens_its_object_until_it_ends() -> None:
    clock = _Clock()
    links = FileLinks(b"secret", clock)
    token = links.make("runs/1/members.parquet", filename='a "name" ü.parquet', seconds=60)
    assert links.open(token) == FileLink("runs/1/members.parquet", 'a "name" ü.parquet')
    clock.time += timedelta(seconds=60)
    with pytest.raises(FileLinkNotFound):
        links.open(token)


def test_a_changed_link_opens_nothing() -> None:
    links = FileLinks(b"secret", _Clock())
    token = links.make("runs/1", filename="x", seconds=60)
    for at in range(len(token) - 1):  # the last character may carry unused bits
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(FileLinkNotFound):
            links.open(changed)


@pytest.mark.parametrize("token", ["", "x", "====", "ä", "A" * 40, "\0"])
def test_what_is_no_token_opens_nothing(token: str) -> None:
    with pytest.raises(FileLinkNotFound):
        FileLinks(b"secret", _Clock()).open(token)


def test_another_installations_link_opens_nothing() -> None:
    token = FileLinks(b"one", _Clock()).make("runs/1", filename="x", seconds=60)
    with pytest.raises(FileLinkNotFound):
        FileLinks(b"two", _Clock()).open(token)

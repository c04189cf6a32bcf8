"""Taxonomies on a real PostgreSQL: an installation for each file, and a namespace for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shoald.application.access import act_as
from support.cluster_world import ClusterWorld, cluster_world
from support.servers import DatabaseMaker
from support.taxonomy_world import a_run, in_a_namespace_of_its_own, promote


@pytest.fixture(scope="module")
def installation(database_maker: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterWorld]:
    url = database_maker.make()
    with cluster_world(url, tmp_path_factory.mktemp("data")) as made:
        yield made
    database_maker.drop(url)


@pytest.fixture
def world(installation: ClusterWorld) -> Iterator[ClusterWorld]:
    yield in_a_namespace_of_its_own(installation)
    act_as(None)  # who deletes a namespace works for its caller from then on


@pytest.fixture(scope="module")
def shared(installation: ClusterWorld) -> ClusterWorld:
    """A world in which there is the taxonomy `topics` of a run over `things`; tests read it, or are refused."""
    made = in_a_namespace_of_its_own(installation)
    promote(made, a_run(made))
    return made

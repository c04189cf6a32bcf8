"""The use cases of taxonomies, given their adapters."""

from __future__ import annotations

from typing import TypedDict

from shoald.application.classifying import Classifying
from shoald.application.former_runs import FormerRuns
from shoald.application.kept_nodes import KeptNodes
from shoald.application.taxonomies import Taxonomies
from shoald.application.taxonomy_making import TaxonomyMaking
from shoald.wiring.adapters import Adapters


class Classification(TypedDict):
    """What keeps groups as a classification, and classifies by it."""

    taxonomies: Taxonomies
    taxonomy_making: TaxonomyMaking
    classifying: Classifying


def build_taxonomies(adapters: Adapters, nodes: KeptNodes) -> Classification:
    """Build what makes taxonomies, and classifies by them."""
    opens, clock = adapters.open_unit_of_work, adapters.clock
    former = FormerRuns(objects=adapters.objects, tables=adapters.run_tables)
    taxonomies = Taxonomies(open_unit_of_work=opens, clock=clock, cursors=adapters.page_cursors, former_runs=former)
    return Classification(
        taxonomies=taxonomies,
        taxonomy_making=TaxonomyMaking(open_unit_of_work=opens, clock=clock, taxonomies=taxonomies, former_runs=former),
        classifying=Classifying(open_unit_of_work=opens, clock=clock, jobs=adapters.jobs, nodes=nodes),
    )

"""What a server can do: every use case, given its adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.wiring.adapters import Adapters
from shoald.wiring.jobs import build_job_handlers

if TYPE_CHECKING:
    from shoald.application.access import Access
    from shoald.application.use_cases import UseCases


def build_access(adapters: Adapters) -> Access:
    """Build what finds callers."""
    from shoald.application.access import Access
    from shoald.application.keys import KeyRing

    settings, opens = adapters.settings, adapters.open_as_system
    keys = KeyRing(open_unit_of_work=opens, clock=adapters.clock) if settings.require_keys else None
    limits = adapters.call_limits if settings.namespace_calls_per_second else None
    return Access(open_unit_of_work=opens, default_namespace=settings.default_namespace, keys=keys, limits=limits)


def build_application(adapters: Adapters) -> UseCases:
    """Build what a server can do."""
    from shoald.application.kept_nodes import KeptNodes
    from shoald.application.use_cases import UseCases
    from shoald.wiring.cluster_use_cases import build_platform, build_runs, build_stored
    from shoald.wiring.rag_use_cases import build_ingestion, build_search
    from shoald.wiring.taxonomy_use_cases import build_taxonomies

    build_job_handlers(adapters)
    access, runs, nodes = build_access(adapters), build_runs(adapters), KeptNodes()
    return UseCases(
        access=access,
        jobs=adapters.jobs,
        **build_ingestion(adapters),
        **build_search(adapters),
        **build_stored(adapters, nodes),
        **runs,
        **build_platform(adapters, access, runs),
        **build_taxonomies(adapters, nodes),
    )

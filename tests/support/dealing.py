"""Which tests go to the same of the two processes of `make test`: those that share what takes long to start."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# over the installation of the whole session, `shoal_up`
_INSTALLATION = (
    "tests/acceptance/clients/",
    "tests/acceptance/documents/",
    "tests/acceptance/rag/",
    "tests/acceptance/test_hostile_clients.py",
    "tests/acceptance/test_map.py",
    "tests/contract/test_client_shapes.py",
    "tests/contract/test_documented_answers.py",
    "tests/contract/test_downloads.py",
    "tests/contract/test_golden.py",
    "tests/contract/test_odd_values.py",
    "tests/contract/test_refused_uploads.py",
    "tests/sdk/",
)
# each over servers, or a filled database, of its own
_OF_ITS_OWN = (
    "tests/acceptance/jobs/",
    "tests/acceptance/test_installation.py",
    "tests/contract/test_edge.py",
    "tests/contract/test_golden_in_process.py",
    "tests/integration/supervisor/test_parts.py",
    "tests/integration/test_tenants.py",
)


class SharedServers(LoadScopeScheduling):  # type: ignore[misc]
    """Deals the largest groups first, and then the tests that are in none, one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Return the group of a test, which is the test itself where it shares nothing that is slow."""
    if nodeid.startswith(_INSTALLATION):
        return "installation"
    return next((place for place in _OF_ITS_OWN if nodeid.startswith(place)), nodeid)

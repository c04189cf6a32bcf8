"""An index of one payload field, as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BUILDING = "building"
READY = "ready"
REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class DeclaredIndex:
    """A field that a namespace declares as a payload index: pages ask it once its `state` is `ready`.

    One that it declares no more is `removing` until its values are gone. `created_at` is when it began to be so.
    """

    namespace_id: str
    field_name: str
    state: str
    created_at: datetime

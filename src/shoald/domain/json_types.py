"""Names for free JSON as it travels between contract, records and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""A JSON object: finite numbers, text without NUL, integers within ±2^53 (what a protobuf Struct carries exactly)."""

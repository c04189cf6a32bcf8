"""Tables of jobs, their attempts and events, the outbox."""

from __future__ import annotations

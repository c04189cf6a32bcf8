"""What a child that parses a stranger's file may use."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserLimits:
    """Limits of one child; each that is passed is `InvalidLoaderParams` with words for the user."""

    memory_bytes: int = 1024 * MIB
    """Address space."""
    cpu_seconds: int = 60
    """Processor time; a second more is allowed per MiB of the file."""
    item_cpu_seconds: float = 6.0
    """Processor time from one segment to the next; a second more is allowed per 8 MiB of the file."""
    stall_seconds: float = 60.0
    """How long nothing may come while somebody waits for it."""
    max_segments: int = 1_000_000
    """Segments of one file."""
    max_segment_bytes: int = 32 * MIB
    """One segment, as JSON."""
    max_output_bytes: int = 128 * MIB
    """All segments of one file, as JSON; `OUTPUT_PER_BYTE` times the file's size is allowed besides."""


OUTPUT_PER_BYTE = 32
"""What an honest file gives at most: the rows of a wide sheet whose cells are of a letter, each under its column."""

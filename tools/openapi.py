"""Writes the OpenAPI documents."""

from __future__ import annotations
from pathlib import Path
from tools.descriptors import Contract


def write_documents(contract: Contract, out: Path, version: str) -> None:
    out.mkdir(parents=True)

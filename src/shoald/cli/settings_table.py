"""`shoal settings`: every setting, from the one place that defines them; the README's table is its output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer


def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the README's table.")] = False,
) -> None:
    """List the environment variables that set Shoal, with their defaults."""
    if markdown:
        typer.echo(markdown_table())
        return
    for name, default, description in rows():
        typer.echo(f"{name}={default}\n    {description}")


def markdown_table() -> str:
    """Return the table that stands in the README."""
    lines = ["| variable | default | what it sets |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {f'`{default}`' if default else ''} | {description} |" for name, default, description in rows()
    ]
    return "\n".join(lines)


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield name, default and description of each setting, in the order of their definition."""
    from shoald.settings import Settings

    for name, field in Settings.model_fields.items():
        yield f"SHOAL_{name.upper()}", _in_words(field.default), field.description or ""


def _in_words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)

"""What others said goes in; the same without the signs that PostgreSQL's texts cannot hold comes out."""

from __future__ import annotations

from typing import Any


def storable(value: Any) -> Any:
    r"""Return JSON, or a text, without NUL and halves of characters.

    >>> storable({"said": ["a\0b", 1]})["said"][1], storable("half \ud800")
    (1, 'half ?')
    """
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable(one) for one in value]
    return value

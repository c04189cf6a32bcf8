"""Templates of messages: `{{ subject.id }}` in a text becomes what the event has there.

This is the part of Jinja's language that names values. Statements, filters and calls are refused when a template is
given: whoever may make a webhook must not run programs here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from shoald.domain.json_types import JsonObject

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+))*")
_OTHER_SYNTAX = ("{%", "%}", "{#", "#}")


def flaw_of_template(template: Any) -> str | None:
    """Return what a template says that is not understood, or None; objects and lists are looked through.

    >>> flaw_of_template({"text": "{{ event_type }} of {{ subject.id }}"})
    >>> flaw_of_template("{{ 7 * 7 }}")
    "'7 * 7' is not the path of a value, such as subject.id or metadata.run_id"
    """
    if isinstance(template, Mapping):
        return next((flaw for part in template.values() if (flaw := flaw_of_template(part))), None)
    if isinstance(template, list | tuple):
        return next((flaw for part in template if (flaw := flaw_of_template(part))), None)
    return _flaw_of_text(template) if isinstance(template, str) else None


def _flaw_of_text(text: str) -> str | None:
    other = next((mark for mark in _OTHER_SYNTAX if mark in text), None)
    if other is not None:
        return f"statements and comments ({other}) are not supported: only values, such as {{{{ subject.id }}}}"
    for expression in _EXPRESSION.findall(text):
        if _PATH.fullmatch(expression.strip()) is None:
            return f"{expression.strip()!r} is not the path of a value, such as subject.id or metadata.run_id"
    rest = _EXPRESSION.sub("", text)
    return "a {{ without its }}" if "{{" in rest else None


def filled(template: Any, values: JsonObject) -> Any:
    """Return a template with its expressions replaced; a text that is one expression takes on the value's type.

    What the values do not have is null where it stands alone, and nothing within a text.

    >>> filled(
    ...     {"n": "{{ counts.n }}", "t": "{{ event_type }}: {{ counts.n }}"}, {"event_type": "a", "counts": {"n": 3}}
    ... )
    {'n': 3, 't': 'a: 3'}
    """
    if isinstance(template, Mapping):
        return {key: filled(part, values) for key, part in template.items()}
    if isinstance(template, list | tuple):
        return [filled(part, values) for part in template]
    if not isinstance(template, str):
        return template
    alone = _EXPRESSION.fullmatch(template.strip())
    if alone is not None and _PATH.fullmatch(alone[1].strip()):
        return _value(alone[1].strip(), values)
    return filled_text(template, values)


def filled_text(template: str, values: JsonObject) -> str:
    """Return a text with its expressions replaced by text; objects and lists as JSON, nothing for what is not there."""
    return _EXPRESSION.sub(lambda found: _as_text(_value(found[1].strip(), values)), template)


def filled_json(template: str, values: JsonObject) -> str:
    r"""Return JSON text with expressions inside it replaced; within its strings, what is put in is escaped.

    >>> filled_json('[{"text": "{{ name }}", "n": {{ n }}}]', {"name": 'a "b"', "n": 2})
    '[{"text": "a \\"b\\"", "n": 2}]'
    """
    parts, end, is_inside = list[str](), 0, False
    for found in _EXPRESSION.finditer(template):
        between = template[end : found.start()]
        is_inside ^= len(re.findall(r'(?<!\\)(?:\\\\)*"', between)) % 2 == 1
        value = _value(found[1].strip(), values)
        parts += [between, json.dumps(_as_text(value))[1:-1] if is_inside else json.dumps(value)]
        end = found.end()
    return "".join([*parts, template[end:]])


def _value(path: str, values: JsonObject) -> Any:
    found: Any = values
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list | tuple) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

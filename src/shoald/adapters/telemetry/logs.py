"""Structured logs: one JSON object a line on standard output, with the request's id and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import orjson

if "rich" not in sys.modules:  # structlog would load it, a quarter of a second at each start, for a terminal's colours
    sys.modules["rich"] = None  # type: ignore[assignment] # what the import system takes for "there is none"
    import structlog

    del sys.modules["rich"]
else:
    import structlog

EventDict = MutableMapping[str, Any]

_SECRET_KEY = re.compile(r"authorization|api[-_]?key|password|secret|token|cookie", re.IGNORECASE)
# credentials inside other text: bearer tokens, keys of known forms, passwords in URLs, links and their signatures
_SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+)[\w.~+/=-]+"
    r"|\b(sk-|shl_|whsec_)[\w-]{6,}"
    r"|(://[^:/@\s]*:)[^@/\s]+(?=@)"
    r"|(/v1/files/)[^/?\s\"]+"
    r"|([?&](?:x-amz-signature|signature|sig|token|key)=)[^&\s\"]+"
)
_HIDDEN = "[hidden]"
# what records of the standard library may bring as fields; libraries bring others, which are nobody's business
_EXTRA_FIELDS = ("job_id", "job_type", "state", "attempt", "error_code")


def hide_secrets(value: Any) -> Any:
    """Return a value without the secrets that its text holds, whole objects and lists included.

    >>> hide_secrets("postgresql://shoal:hunter2@127.0.0.1/shoal")
    'postgresql://shoal:[hidden]@127.0.0.1/shoal'
    """
    if isinstance(value, str):
        return _SECRET_TEXT.sub(lambda match: "".join(part or "" for part in match.groups()) + _HIDDEN, value)
    if isinstance(value, dict):
        return {key: _HIDDEN if _is_secret(key) else hide_secrets(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [hide_secrets(element) for element in value]
    return value


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def _redact(logger: Any, name: str, event: EventDict) -> EventDict:
    del logger, name
    for key, value in event.items():
        event[key] = _HIDDEN if _is_secret(key) else hide_secrets(value)
    return event


def _to_json(logger: Any, name: str, event: EventDict) -> str:
    del logger, name
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def set_up_logs(service: str, *, level: str = "info", form: Literal["json", "console"] = "json") -> None:
    """Send structlog's and the standard library's records to standard output, one line each."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        lambda _logger, _name, event: {**event, "service": service},
    ]
    last: structlog.typing.Processor = _to_json if form == "json" else structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=_EXTRA_FIELDS)],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("faiss", "httpcore", "httpx", "numba", "rq", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

"""Mails to their head and text, and to what is attached where that is text, a page, a picture or another mail.

The plain form of a mail is taken where there is one, else its HTML. Other attachments are named, not read.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage

from shoald.adapters.document_loaders import html, markdown
from shoald.adapters.document_loaders.file_kinds import kind_of
from shoald.adapters.document_loaders.items import Item, picture_of
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import MAX_WHOLE_BYTES, UnusableFile, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

MAX_DEPTH = 5
MAX_PARTS = 2_000
_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the mail, then its attachments in order; raises `UnusableFile`."""
    check_names(params, ())
    file.seek(0)
    data = file.read(MAX_WHOLE_BYTES + 1)
    if len(data) > MAX_WHOLE_BYTES:
        raise UnusableFile(f"the mail is larger than {MAX_WHOLE_BYTES:,} bytes, which is the limit")
    if not data.strip():
        return
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not any(name in message for name in ("From", "Date", "Received", "To")):
        what = kind_of(data[:16])
        raise UnusableFile(
            f"the file is no mail: it is {what}" if what else "the file is no mail: it has no mail's head"
        )
    for position, item in enumerate(_mail(message, source, {}, 0)):
        if position > MAX_PARTS:
            raise UnusableFile(f"the mail has more than {MAX_PARTS:,} parts")
        yield item._replace(parent=0) if position else item


def _mail(message: EmailMessage, source: str, above: dict[str, Any], depth: int) -> Iterator[Item]:
    head = {name: _header(message, name) for name in _SHOWN}
    about = {name.lower(): text for name, text in head.items() if text}
    metadata = {"source": source, **above, **about}
    lines = [f"{name}: {text}" for name, text in head.items() if text]
    body = message.get_body(("plain", "html"))
    text = _body_text(body, source)
    yield Item(
        clean("\n".join(lines) + ("\n\n" + text if text else "")), metadata | {"title": about.get("subject", "")}
    )
    for part in _others(message, body):
        yield from _attached(part, source, metadata, depth)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return clean(" ".join(str(message.get(name, "")).split()))
    except (ValueError, IndexError, AttributeError, TypeError):  # the parser of odd headers has bugs of its own
        return ""


def _body_text(body: Any, source: str) -> str:
    if body is None:
        return ""
    text = _content(body).strip()
    if body.get_content_subtype() != "html":
        return text
    return "\n".join(item.content for item in html.sections(text, source) if item.type != "image")


def _others(message: EmailMessage, body: Any) -> Iterator[Any]:
    """Yield what is not the body: attachments, pictures within the text, attached mails."""
    pending, seen = [message], 0
    while pending:
        part = pending.pop(0)
        seen += 1
        if seen > MAX_PARTS:
            raise UnusableFile(f"the mail has more than {MAX_PARTS:,} parts")
        if part is not message and part.get_content_type() == "message/rfc822":
            yield part
        elif part.is_multipart():
            pending = [*_parts(part, body), *pending]
        elif part is not body and part is not message:
            yield part


def _parts(part: Any, body: Any) -> list[Any]:
    inner = list(part.iter_parts())
    if part.get_content_type() == "multipart/alternative":
        # the other forms of what was taken say the same
        return [one for one in inner if one.is_multipart()] if body is not None else inner
    return inner


def _attached(part: Any, source: str, mail: dict[str, Any], depth: int) -> Iterator[Item]:
    name = clean(part.get_filename() or "")
    metadata = {"source": source, "part": "attachment", "filename": name, "mime": part.get_content_type()}
    metadata |= {"subject": mail.get("subject", "")}
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()[0] if part.get_payload() else None
        if isinstance(inner, EmailMessage) and depth < MAX_DEPTH:
            yield from _mail(inner, source, {"part": "attachment"}, depth + 1)
    elif part.get_content_maintype() == "image":
        yield Item(name, metadata, "image", picture=picture_of(part.get_payload(decode=True)))
    elif part.get_content_maintype() == "text":
        yield from _attached_text(part, name, metadata)
    else:
        yield Item(name, metadata | {"warning": "this attachment is not read: upload it by itself"}, "other")


def _attached_text(part: Any, name: str, metadata: dict[str, Any]) -> Iterator[Item]:
    text = _content(part)
    if not text.strip():
        return
    if part.get_content_subtype() == "html":
        text = "\n".join(item.content for item in html.sections(text, name) if item.type != "image")
    elif name.lower().endswith((".md", ".markdown")):
        text = "\n\n".join(item.content for item in markdown.sections(text, name) if item.type != "image")
    yield Item(clean(text.strip()), metadata)


def _content(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        # an encoding that does not exist, or that the bytes are not of
        return (part.get_payload(decode=True) or b"").decode("utf-8", "replace")

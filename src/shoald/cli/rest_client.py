"""Calls a running Shoal over JSON, as any user would; what comes back are plain dicts and lists."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from shoald.cli.local_files import readable

_ROWS = 1000
"""Rows of a list that are asked for at a time."""
_FILES = "/v1/files/"


class RestError(Exception):
    """The server answered with an error, or did not answer (no `status`); the message is fit to be shown.

    `reason` is what the server says alone, without the call that it answers.
    """

    def __init__(self, message: str, *, status: int | None = None, reason: str | None = None) -> None:
        self.status = status
        self.reason = reason or message
        super().__init__(message)


class RestClient:
    """One keep-alive connection pool to a base URL such as `http://127.0.0.1:8000`; safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        *,
        namespace: str | None = None,
        key: str | None = None,
        timeout_seconds: float = 600.0,
    ) -> None:
        """Without a key, that of the environment variable `SHOAL_API_KEY` is shown, if there is one."""
        headers = {"x-namespace": namespace} if namespace else {}
        shown = key or os.environ.get("SHOAL_API_KEY")
        if shown:
            headers["authorization"] = f"Bearer {shown}"
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout_seconds, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of a GET."""
        return self._json("GET", path, params=params)

    def rows(self, path: str) -> Iterator[Any]:
        """Yield the rows of a list, read in parts, so that no list is too long."""
        cursor: str | None = None
        while True:
            asked = {"limit": _ROWS} if cursor is None else {"limit": _ROWS, "cursor": cursor}
            response = self._answer("GET", path, params=asked)
            yield from response.json()
            cursor = response.headers.get("x-next-cursor")
            if cursor is None:
                return

    def post(self, path: str, body: Any = None) -> Any:
        """Return the JSON of a POST."""
        return self._json("POST", path, json={} if body is None else body)

    def patch(self, path: str, body: Any) -> Any:
        """Return the JSON of a PATCH."""
        return self._json("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        """Return the JSON of a DELETE."""
        return self._json("DELETE", path)

    def upload(self, path: str, file: Path, *, content_type: str, fields: Mapping[str, str] | None = None) -> Any:
        """Send one file as the multipart field `file`, read as it is sent, and return the answer's JSON.

        `fields` are further fields of the form.
        """
        with file.open("rb") as content:
            return self._json("POST", path, files={"file": (readable(file.name), content, content_type)}, data=fields)

    def post_form(self, path: str, parts: Sequence[tuple[str, tuple[str | None, bytes | str, str | None]]]) -> Any:
        """POST a form of (name, (file name or None, content, media type)) and return the JSON that is answered."""
        return self._json("POST", path, files=list(parts))

    def save(self, url: str, target: Path) -> None:
        """Write the file behind an address that the server gave into `target`, as it comes.

        An address of the server's own is asked of the server that this client knows, by whatever name it knows it; any
        other, such as that of a bucket, is asked as it is, and no key is shown there.
        """
        parts = urlsplit(url)
        if parts.path.startswith(_FILES):
            self._write(self._http, f"{parts.path}?{parts.query}" if parts.query else parts.path, target)
            return
        with httpx.Client(timeout=self._http.timeout, trust_env=False) as elsewhere:
            self._write(elsewhere, url, target)

    def _write(self, http: httpx.Client, url: str, target: Path) -> None:
        try:
            with http.stream("GET", url) as response, target.open("wb") as file:
                if response.is_error:
                    response.read()
                    raise _refusal("GET", urlsplit(url).path, response)
                for piece in response.iter_bytes():
                    file.write(piece)
        except httpx.HTTPError as error:
            raise self._no_answer("GET", urlsplit(url).path, error) from error

    def post_and_count(self, path: str, body: Any, *, set_key: str) -> dict[str, Any]:
        """POST a call that answers with a set and all its items; return the set only.

        The answer is read through but its items are not kept: a set of 100,000 items would fill the memory of a client
        that only wants the id. Falls back to parsing the whole when the set does not come first.
        """
        try:
            with self._http.stream("POST", path, json=body) as response:
                if response.is_error:
                    response.read()
                    raise _refusal("POST", path, response)
                return _leading_object(response.iter_text(), set_key)
        except httpx.HTTPError as error:
            raise self._no_answer("POST", path, error) from error

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self._answer(method, path, **options).json()

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._no_answer(method, path, error) from error
        if response.is_error:
            raise _refusal(method, path, response)
        return response

    def _no_answer(self, method: str, path: str, error: httpx.HTTPError) -> RestError:
        return RestError(f"{method} {self._http.base_url.join(path)}: {error or type(error).__name__}")


def _refusal(method: str, path: str, response: httpx.Response) -> RestError:
    try:
        body = response.json()
    except ValueError:
        body = response.text[:200]
    detail = body.get("detail", body.get("error", body)) if isinstance(body, dict) else body
    message, status = _words(detail), response.status_code
    code = detail.get("code") if isinstance(detail, dict) else None
    reason = f"{code}: {message}" if code else message
    return RestError(f"{method} {path}: {status}: {message}", status=status, reason=reason)


def _words(detail: Any) -> str:
    """Say an error's detail in words, whichever form it has.

    >>> _words({"code": "c", "message": "There is none.", "hint": "Make one."})
    'There is none. Make one.'
    >>> _words([{"loc": ["body", "k"], "msg": "Field required"}, {"loc": ["query", 0], "msg": "none"}])
    'body.k: Field required; query.0: none'
    """
    if isinstance(detail, dict):
        return " ".join(str(part) for part in (detail.get("message", detail), detail.get("hint")) if part)
    if isinstance(detail, list) and detail and all(isinstance(one, dict) and "msg" in one for one in detail):
        return "; ".join(f"{'.'.join(map(str, one.get('loc', ())))}: {one['msg']}" for one in detail)
    return str(detail)


def _leading_object(pieces: Iterator[str], key: str) -> dict[str, Any]:
    """Read `{"<key>": {…}, "items": […` up to the end of its first value, then let the rest pass.

    >>> _leading_object(iter(['{"segment_set": {"a"', ': 1}, "items": [1', ", 2]}"]), "segment_set")
    {'a': 1}
    """
    decoder, read, found = json.JSONDecoder(), "", None
    prefix = f'"{key}":'
    for piece in pieces:
        if found is not None:
            continue
        read += piece
        start = read.find(prefix)
        if start < 0:
            continue
        value_at = start + len(prefix)
        value_at += len(read[value_at:]) - len(read[value_at:].lstrip())
        try:
            found, _ = decoder.raw_decode(read, value_at)
        except json.JSONDecodeError:
            continue
    if not isinstance(found, dict):
        raise RestError(f"the answer holds no {key}")
    return found

"""Settings of channels: what a caller says goes in, checked; what is kept, what is shown, and the secrets come out.

Secret are a signing secret, the address of a Slack channel (whoever has it may write there), and the values of headers
that carry credentials. They are sealed before they are stored and shown as `redacted`, which keeps them when sent back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from shoald.application.ports.outward_addresses import OutwardAddresses
from shoald.application.ports.secret_box import SecretBox
from shoald.domain.failures import AddressRefused, Broken, FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import NotificationChannel, NotificationContentType
from shoald.domain.records.webhook import WebhookChannel
from shoald.domain.webhooks.templates import flaw_of_template

REDACTED = "redacted"
DEFAULT_TIMEOUT = 10.0
_LONGEST_TIMEOUT = 30.0
_MOST_ADDRESSES = 50
_MOST_HEADERS = 50
_LONGEST_TEXT = 2_000
_LONGEST_TEMPLATE = 65_536
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]{0,2000}")
_OWN_HEADERS = re.compile(
    r"(?i)host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*"
    r"|x-mixpeek-signature|webhook-(id|timestamp|signature)"
)
_CREDENTIAL = re.compile(r"(?i).*(auth|bearer|cookie|credential|key|pass|secret|signature|token).*")
_MAIL_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChannel:
    """One channel as a caller gives it."""

    channel: str
    configs: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecrets:
    """What of a channel is secret. `former_secret` still signs beside `signing_secret`, for receivers that have not
    changed over.
    """

    signing_secret: str | None = None
    former_secret: str | None = None
    webhook_url: str | None = None
    headers: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what is sealed."""
        parts = {
            "signing_secret": self.signing_secret,
            "former_secret": self.former_secret,
            "webhook_url": self.webhook_url,
            "headers": dict(self.headers or {}),
        }
        return {name: part for name, part in parts.items() if part}


class WebhookChannels:
    """Reads settings of channels."""

    def __init__(self, *, addresses: OutwardAddresses, box: SecretBox, has_mail: bool) -> None:
        self._addresses = addresses
        self._box = box
        self._has_mail = has_mail

    def read(
        self, asked: Sequence[AskedChannel], webhook_id: str, present: Sequence[WebhookChannel] = ()
    ) -> tuple[WebhookChannel, ...]:
        """Return channels as they are stored; `present` are those whose secrets `redacted` keeps, place by place.

        Raises `InvalidFields` for settings that are not understood, and for addresses that are not allowed.
        """
        return tuple(
            self._read_one(one, at, webhook_id, present[at] if at < len(present) else None)
            for at, one in enumerate(asked)
        )

    def secrets_of(self, channel: WebhookChannel, webhook_id: str) -> ChannelSecrets:
        """Return what is sealed with a channel; raises `Broken` when it cannot be opened."""
        if channel.sealed is None:
            return ChannelSecrets()
        return ChannelSecrets(**json.loads(self._box.open(channel.sealed, place=webhook_id)))

    def _known(self, before: WebhookChannel | None, webhook_id: str) -> ChannelSecrets:
        """Return what may be kept: nothing of what cannot be opened, so that it can be given again."""
        try:
            return ChannelSecrets() if before is None else self.secrets_of(before, webhook_id)
        except Broken:
            return ChannelSecrets()

    def _read_one(
        self, asked: AskedChannel, at: int, webhook_id: str, present: WebhookChannel | None
    ) -> WebhookChannel:
        kind = NotificationChannel(asked.channel)
        reader = _Reader(("body", "channels", at, "configs"), asked.configs, self._addresses)
        if kind is NotificationChannel.EMAIL and not self._has_mail:
            reader.refuse((), "this installation sends no email: SHOAL_SMTP_HOST is not set")
        configs = _READERS[kind](reader)
        reader.end()
        before = present if present is not None and present.channel is kind else None
        known = self._known(before, webhook_id)
        if before is not None and _origin(configs) != _origin(before.configs):
            known = replace(known, headers={})  # or whoever changes the address could have them sent to himself
        _refuse_unknown_secrets(configs, known, before, at)
        kept, secrets = _without_secrets(configs, known)
        parts = secrets.as_json()
        sealed = self._box.seal(json.dumps(parts).encode(), place=webhook_id) if parts else None
        return WebhookChannel(channel=kind, configs=kept, sealed=sealed)


class _Reader:
    """Takes settings one by one and collects what is wrong with them."""

    def __init__(self, place: tuple[str | int, ...], given: JsonObject, addresses: OutwardAddresses) -> None:
        self._place = place
        self._given = {key: value for key, value in given.items() if value is not None}
        self._addresses = addresses
        self._problems: list[FieldProblem] = []
        self._known: set[str] = set()

    def refuse(self, name: tuple[str | int, ...], message: str, kind: str = "value_error", value: Any = None) -> None:
        """Note what is wrong."""
        self._problems.append(FieldProblem((*self._place, *name), kind, message, value))

    def end(self) -> None:
        """Raise what was noted; settings that nobody asked for are wrong too."""
        for name in sorted(self._given.keys() - self._known):
            message = f"there is no such setting; there are {', '.join(sorted(self._known))}"
            self.refuse((name,), message, "extra_forbidden")
        if self._problems:
            raise InvalidFields(self._problems)

    def _take(self, name: str, *, required: bool = False) -> Any:
        self._known.add(name)
        if required and name not in self._given:
            self.refuse((name,), "Field required", "missing")
        return self._given.get(name)

    def text(self, name: str, *, longest: int = _LONGEST_TEXT) -> dict[str, str]:
        """Take a text."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, str):
            self.refuse((name,), "Input should be a valid string", "string_type", value)
            return {}
        if len(value) > longest:
            self.refuse((name,), f"String should have at most {longest} characters", "string_too_long")
        return {name: value}

    def url(self, name: str, *, is_secret: bool = False) -> dict[str, str]:
        """Take the address that is written to; one that is secret may be `redacted`."""
        value = self._take(name, required=True)
        if value is None:
            return {}
        if is_secret and value == REDACTED:
            return {name: REDACTED}
        try:
            self._addresses.check(str(value))
        except AddressRefused as refused:
            self.refuse((name,), refused.message, "url_parsing", value)
        return {name: str(value)}

    def template(self, name: str, *, is_object: bool = False) -> dict[str, Any]:
        """Take a template: an object whose texts are templates, or one text."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping if is_object else str):
            wanted, problem = ("dictionary", "dict_type") if is_object else ("string", "string_type")
            self.refuse((name,), f"Input should be a valid {wanted}", problem, value)
            return {}
        flaw = flaw_of_template(value)
        if flaw is None and len(json.dumps(value, default=dict)) > _LONGEST_TEMPLATE:
            flaw = f"a template has at most {_LONGEST_TEMPLATE} characters"
        if flaw is not None:
            self.refuse((name,), flaw)
        return {name: value}

    def seconds(self, name: str, default: float) -> dict[str, float]:
        """Take a duration."""
        value = self._take(name)
        if value is None:
            return {name: default}
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_TIMEOUT:
            self.refuse((name,), f"a number of seconds above 0, at most {_LONGEST_TIMEOUT:g}", value=value)
            return {}
        return {name: value}

    def headers(self, name: str) -> dict[str, dict[str, str]]:
        """Take headers; those that make the request what it is are ours."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or len(value) > _MOST_HEADERS:
            self.refuse((name,), f"an object of at most {_MOST_HEADERS} headers", "dict_type", value)
            return {}
        for header, text in value.items():
            if _HEADER_NAME.fullmatch(header) is None or _OWN_HEADERS.fullmatch(header):
                self.refuse((name, header), "this header cannot be set")
            elif not isinstance(text, str) or _HEADER_VALUE.fullmatch(text) is None:
                self.refuse((name, header), "a text of at most 2000 ASCII characters without line breaks")
        return {name: {header: str(text) for header, text in value.items()}}

    def mail_addresses(self, name: str, *, required: bool = False) -> dict[str, list[str]]:
        """Take addresses of people."""
        value = self._take(name, required=required)
        if value is None:
            return {}
        if not isinstance(value, list | tuple) or not int(required) <= len(value) <= _MOST_ADDRESSES:
            self.refuse((name,), f"a list of at most {_MOST_ADDRESSES} addresses", "list_type", value)
            return {}
        for at, one in enumerate(value):
            if not isinstance(one, str) or _MAIL_ADDRESS.fullmatch(one) is None:
                self.refuse((name, at), "an address such as ada@example.org", value=one)
        return {name: [str(one) for one in value]}

    def word(self, name: str, words: Sequence[str], default: str) -> dict[str, str]:
        """Take one of some words."""
        value = self._take(name)
        if value is not None and value not in words:
            self.refuse((name,), f"Input should be {', '.join(map(repr, words))}", "enum", value)
        return {name: value or default}


def _webhook(reader: _Reader) -> dict[str, Any]:
    return {
        **reader.url("url"),
        **reader.headers("headers"),
        **reader.template("payload_template", is_object=True),
        **reader.seconds("timeout", DEFAULT_TIMEOUT),
        **reader.text("signing_secret", longest=500),
    }


def _slack(reader: _Reader) -> dict[str, Any]:
    names = ("channel", "username", "icon_emoji", "icon_url")
    plain = {key: value for name in names for key, value in reader.text(name, longest=200).items()}
    return {**reader.url("webhook_url", is_secret=True), **plain, **reader.template("blocks_template")}


def _email(reader: _Reader) -> dict[str, Any]:
    words = [word.value for word in NotificationContentType]
    return {
        **reader.mail_addresses("to_addresses", required=True),
        **reader.template("subject_template"),
        **reader.template("body_template"),
        **reader.word("content_type", words, NotificationContentType.PLAIN_TEXT.value),
        **reader.mail_addresses("cc_addresses"),
        **reader.mail_addresses("bcc_addresses"),
    }


_READERS: Mapping[NotificationChannel, Callable[[_Reader], dict[str, Any]]] = {
    NotificationChannel.WEBHOOK: _webhook,
    NotificationChannel.SLACK: _slack,
    NotificationChannel.EMAIL: _email,
}


def _origin(configs: JsonObject) -> tuple[str, str]:
    """Return the scheme, host and port that a webhook's posts go to; nothing for other channels."""
    parts = urlsplit(configs.get("url", ""))
    return parts.scheme, parts.netloc


def _refuse_unknown_secrets(configs: JsonObject, known: ChannelSecrets, before: WebhookChannel | None, at: int) -> None:
    """Raise `InvalidFields` for a secret that is to be kept where none is known for this address."""
    is_signed = before is not None and "signing_secret" in before.configs
    unknown: list[tuple[str, ...]] = [
        ("headers", name)
        for name, text in configs.get("headers", {}).items()
        if text == REDACTED and _CREDENTIAL.fullmatch(name) and name not in (known.headers or {})
    ]
    if configs.get("signing_secret", REDACTED if is_signed else None) == REDACTED and known.signing_secret is None:
        unknown.append(("signing_secret",))
    if configs.get("webhook_url") == REDACTED and known.webhook_url is None:
        unknown.append(("webhook_url",))
    for place in unknown:
        message = f"{place[-1]} is not known for this address: give its value"
        raise InvalidFields.field("body", "channels", at, "configs", *place, message=message, value=REDACTED)


def _without_secrets(configs: dict[str, Any], known: ChannelSecrets) -> tuple[dict[str, Any], ChannelSecrets]:
    """Part settings into what is shown and what is sealed."""
    secret, former = _signing_secrets(configs.pop("signing_secret", REDACTED), known)
    headers: dict[str, str] = configs.get("headers", {})
    hidden = {name: text for name, text in headers.items() if _CREDENTIAL.fullmatch(name)}
    kept = {name: (known.headers or {}).get(name, text) if text == REDACTED else text for name, text in hidden.items()}
    address = configs.get("webhook_url")
    shown = {**configs, **({"headers": {**headers, **dict.fromkeys(hidden, REDACTED)}} if headers else {})}
    shown |= {name: REDACTED for name, text in (("signing_secret", secret), ("webhook_url", address)) if text}
    return shown, ChannelSecrets(
        signing_secret=secret,
        former_secret=former,
        webhook_url=known.webhook_url if address == REDACTED else address,
        headers=kept,
    )


def _signing_secrets(given: str, known: ChannelSecrets) -> tuple[str | None, str | None]:
    """Return the secret that signs and the one before it: `redacted` keeps both, an empty one takes them away."""
    secret = known.signing_secret if given == REDACTED else given or None
    if secret == known.signing_secret:
        return secret, known.former_secret
    return secret, known.signing_secret if secret else None

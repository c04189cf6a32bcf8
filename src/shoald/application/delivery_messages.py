"""A delivery goes in, the message that its channel carries comes out: a signed post, a post for Slack, a mail."""

from __future__ import annotations

import json
from typing import Any

from shoald.application.ports.messengers import Mail, Post
from shoald.application.ports.repositories.webhooks import Errand
from shoald.application.webhook_channels import DEFAULT_TIMEOUT, ChannelSecrets
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import NotificationContentType
from shoald.domain.webhooks.payloads import body_of, line_of
from shoald.domain.webhooks.signatures import documented_signature, standard_signature
from shoald.domain.webhooks.templates import filled, filled_json, filled_text

_AGENT = "Shoal-Webhooks/1"
_LONGEST_SUBJECT = 200


def webhook_post(errand: Errand, secrets: ChannelSecrets, timestamp: int) -> Post:
    """Return the request of a webhook: `timestamp`, in Unix seconds, is when this try was signed."""
    configs, payload = errand.channel.configs, errand.delivery.payload
    template = configs.get("payload_template")
    body = body_of(payload if template is None else filled(template, payload))
    event_id = errand.delivery.event_id
    headers = {
        **configs.get("headers", {}),
        **(secrets.headers or {}),
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
    }
    if secrets.signing_secret:
        both = [secret for secret in (secrets.signing_secret, secrets.former_secret) if secret]
        headers["X-Mixpeek-Signature"] = documented_signature(secrets.signing_secret, timestamp, body)
        headers["webhook-signature"] = standard_signature(both, event_id, timestamp, body)
    return Post(url=configs["url"], headers=headers, body=body, timeout_seconds=configs["timeout"])


def slack_post(errand: Errand, secrets: ChannelSecrets) -> Post:
    """Return the request of an incoming webhook of Slack: a line of text, and blocks where a template makes them."""
    configs, payload = errand.channel.configs, errand.delivery.payload
    names = ("channel", "username", "icon_emoji", "icon_url")
    message: dict[str, Any] = {"text": line_of(payload), **{name: configs[name] for name in names if name in configs}}
    if "blocks_template" in configs:
        message["blocks"] = _blocks(configs["blocks_template"], payload)
    headers = {"Content-Type": "application/json", "User-Agent": _AGENT}
    return Post(url=secrets.webhook_url or "", headers=headers, body=body_of(message), timeout_seconds=DEFAULT_TIMEOUT)


def mail(errand: Errand) -> Mail:
    """Return the message by email; its id is the event's, by which mail programs know a repetition."""
    configs, payload = errand.channel.configs, errand.delivery.payload
    kind = NotificationContentType(configs["content_type"])
    subject = filled_text(configs.get("subject_template", line_of(payload)), payload)
    whole = json.dumps(payload, ensure_ascii=False, indent=2, default=dict)
    template = configs.get("body_template")
    return Mail(
        message_id=f"{errand.delivery.event_id}.{errand.delivery.webhook_id}.{errand.delivery.channel_no}",
        to=tuple(configs["to_addresses"]),
        cc=tuple(configs.get("cc_addresses", ())),
        bcc=tuple(configs.get("bcc_addresses", ())),
        subject=" ".join(subject.split())[:_LONGEST_SUBJECT],
        text=whole if template is None else filled_text(template, payload),
        is_html=kind is NotificationContentType.HTML and template is not None,
    )


def _blocks(template: str, payload: JsonObject) -> Any:
    """Return the blocks that a template makes; raises `ValueError` when it makes no JSON."""
    blocks = json.loads(filled_json(template, payload))
    return blocks["blocks"] if isinstance(blocks, dict) and "blocks" in blocks else blocks

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shoald.application.webhook_channels import AskedChannel
from shoald.application.webhooks import AskedWebhook
from shoald.domain.platform_words import DeliveryStatus, EventType
from support.webhook_receiver import Receiver, Reply
from support.webhook_world import WebhookWorld

pytestmark = pytest.mark.integration


def test_what_happened_is_told_once_to_those_who_listen(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhooks.webhook(f"{receiver.url}/a?b=c")
    webhooks.webhook(f"{receiver.url}/other", types=(EventType.CLUSTER_DELETED,))
    [event] = webhooks.happen(num_clusters=3)
    assert webhooks.deliver() == 1
    [got] = receiver.received
    assert got.path == "/a?b=c"
    assert got.payload == {
        "event_id": event.event_id,
        "event_type": "cluster.created",
        "occurred_at": got.payload["occurred_at"],
        "namespace_id": webhooks.world.caller.namespace_id,
        "subject": {"type": "cluster", "id": event.subject_id},
        "metadata": {"num_clusters": 3},
        "cache_scope": "namespace",
    }
    assert got.headers["content-type"] == "application/json"
    assert webhooks.deliver() == 0


def test_a_secret_signs_the_raw_body_in_both_forms(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhooks.webhook(receiver.url, signing_secret="whsec_c2hvYWw=", headers={"Authorization": "Bearer t", "X-A": "b"})
    webhooks.happen()
    webhooks.deliver()
    [got] = receiver.received
    parts = dict(part.split("=", 1) for part in got.headers["x-mixpeek-signature"].split(","))
    expected = hmac.new(b"whsec_c2hvYWw=", f"{parts['t']}.".encode() + got.body, hashlib.sha256).hexdigest()
    assert parts["v1"] == expected
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    standard = base64.b64encode(hmac.digest(b"shoal", signed, "sha256")).decode()
    assert got.headers["webhook-signature"] == f"v1,{standard}"
    assert (got.headers["authorization"], got.headers["x-a"]) == ("Bearer t", "b")


def test_what_fails_is_tried_again_with_the_same_id_until_it_is_taken(
    webhooks: WebhookWorld, receiver: Receiver
) -> None:
    webhook = webhooks.webhook(receiver.url)
    replies = iter([Reply(500), Reply(302, {"Location": f"{receiver.url}/elsewhere"}), Reply(204, body=b"")])
    receiver.answer = lambda _: next(replies)
    [event] = webhooks.happen()
    assert webhooks.deliver() == 1
    [waiting] = webhooks.deliveries(webhook)
    assert (waiting.status, waiting.tries) == (DeliveryStatus.WAITING, 1)
    health = webhooks.get(webhook).delivery_health
    assert health is not None
    assert (health["consecutive_failures"], health["last_failure_cause"]) == (1, "the receiver answered 500")
    for _ in range(2):
        webhooks.make_due()
        webhooks.deliver()
    [done] = webhooks.deliveries(webhook)
    assert [one.status_code for one in done.attempts] == [500, 302, 204]
    assert done.attempts[1].error == "the receiver answered 302; redirects are not followed"
    assert done.status == DeliveryStatus.DELIVERED
    assert receiver.event_ids() == [event.event_id] * 3
    assert {one.path for one in receiver.received} == {"/"}
    assert len({one.body for one in receiver.received}) == 1
    assert webhooks.get(webhook).delivery_health is None


def test_a_delivery_is_given_up_after_a_day_and_can_be_sent_again(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhook = webhooks.webhook(receiver.url)
    receiver.answer = lambda _: Reply(503)
    webhooks.happen()
    for _ in range(12):
        webhooks.deliver()
        webhooks.make_due()
    [failed] = webhooks.deliveries(webhook)
    assert (failed.status, failed.tries, failed.due_at) == (DeliveryStatus.FAILED, 11, None)
    receiver.answer = lambda _: Reply()
    use_case, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    again = use_case.redeliver(caller, webhook.webhook_id, failed.delivery_id)
    assert (again.status, again.tries) == (DeliveryStatus.WAITING, 0)
    assert webhooks.deliver() == 1
    [done] = webhooks.deliveries(webhook)
    assert (done.status, len(done.attempts)) == (DeliveryStatus.DELIVERED, 12)


def test_a_receiver_says_when_it_wants_to_be_asked_again(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhook = webhooks.webhook(receiver.url)
    receiver.answer = lambda _: Reply(429, {"Retry-After": "600"})
    webhooks.happen(2)
    assert webhooks.deliver() == 1  # what it asked for is meant for all that it is sent
    first, _ = webhooks.deliveries(webhook)
    assert first.due_at is not None
    assert first.due_at - first.attempts[0].at >= timedelta(seconds=590)


def test_a_receiver_that_asks_for_a_day_each_time_is_tried_for_one_day(
    webhooks: WebhookWorld, receiver: Receiver
) -> None:
    webhook = webhooks.webhook(receiver.url)
    receiver.answer = lambda _: Reply(503, {"Retry-After": "86400"})
    webhooks.happen()
    webhooks.deliver()
    with webhooks.connection() as connection:  # a day passes
        connection.execute(
            "UPDATE webhook_deliveries SET attempts = jsonb_set(attempts, '{0,at}', to_jsonb(now() - interval '1 day'))"
        )
    webhooks.make_due()
    webhooks.deliver()
    [failed] = webhooks.deliveries(webhook)
    assert (failed.status, failed.tries) == (DeliveryStatus.FAILED, 2)


def test_what_waits_for_a_paused_webhook_has_its_whole_day_when_it_is_resumed(
    webhooks: WebhookWorld, receiver: Receiver
) -> None:
    webhook = webhooks.webhook(receiver.url)
    receiver.answer = lambda _: Reply(503)
    webhooks.happen()
    webhooks.deliver()
    use_case, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    use_case.update(caller, webhook.webhook_id, AskedWebhook(is_active=False))
    use_case.update(caller, webhook.webhook_id, AskedWebhook(is_active=True))
    assert webhooks.deliver() == 1
    [waiting] = webhooks.deliveries(webhook)
    assert (waiting.status, waiting.tries, len(waiting.attempts)) == (DeliveryStatus.WAITING, 1, 2)


def test_gone_pauses_the_webhook_until_somebody_makes_it_active(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhook = webhooks.webhook(receiver.url)
    receiver.answer = lambda _: Reply(410)
    webhooks.happen(2)
    assert webhooks.deliver() == 1
    paused = webhooks.get(webhook)
    assert not paused.is_active
    assert paused.delivery_health is not None
    assert paused.delivery_health["paused_reason"] == "the receiver answered 410: it wants no more"
    receiver.answer = lambda _: Reply()
    use_case, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    resumed = use_case.update(caller, webhook.webhook_id, AskedWebhook(is_active=True))
    assert (resumed.is_active, resumed.delivery_health) == (True, None)
    assert webhooks.deliver() == 1
    assert [one.status for one in webhooks.deliveries(webhook)] == [DeliveryStatus.FAILED, DeliveryStatus.DELIVERED]


def test_events_reach_a_receiver_in_their_order(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhooks.webhook(receiver.url)
    events = webhooks.happen(20)
    webhooks.deliver()
    assert receiver.event_ids() == [event.event_id for event in events]


def test_a_channel_has_one_message_under_way_at_a_time(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhooks.webhook(receiver.url)
    webhooks.happen(2)
    webhooks.telling.run_pass()
    delivering = webhooks.world.adapters.delivering
    first = delivering.take()
    assert first is not None
    assert delivering.take() is None
    delivering.carry_out(first)
    assert delivering.take() is not None


def test_slow_receivers_of_one_namespace_leave_others_their_turn(webhooks: WebhookWorld, receiver: Receiver) -> None:
    delivering = replace(webhooks.world.adapters.delivering, most_of_namespace=2)
    webhooks.webhook(*(f"{receiver.url}/{at}" for at in range(4)))
    webhooks.happen()
    webhooks.telling.run_pass()
    taken = [delivering.take() for _ in range(3)]
    assert [one is not None for one in taken] == [True, True, False]


def test_a_lease_that_was_lost_stores_nothing_and_the_delivery_is_tried_again(
    webhooks: WebhookWorld, receiver: Receiver
) -> None:
    webhook = webhooks.webhook(receiver.url)
    [event] = webhooks.happen()
    webhooks.telling.run_pass()
    dead = replace(webhooks.world.adapters.delivering, lease=timedelta(0))
    errand = dead.take()
    assert errand is not None
    assert webhooks.deliver() == 1
    dead.carry_out(errand)
    [done] = webhooks.deliveries(webhook)
    assert (done.status, done.tries) == (DeliveryStatus.DELIVERED, 1)
    assert receiver.event_ids() == [event.event_id] * 2


def test_a_template_makes_the_payload(webhooks: WebhookWorld, receiver: Receiver) -> None:
    template = {
        "text": "{{ event_type }}: {{ metadata.count }}",
        "n": "{{ metadata.count }}",
        "gone": "{{ metadata.x }}",
    }
    webhooks.webhook(receiver.url, payload_template=template)
    webhooks.happen(count=2)
    webhooks.deliver()
    assert receiver.received[0].payload == {"text": "cluster.created: 2", "n": 2, "gone": None}


def test_a_changed_secret_signs_beside_the_former(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhook = webhooks.webhook(receiver.url, signing_secret="old")
    use_case, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    changed = AskedChannel(channel="webhook", configs={"url": receiver.url, "signing_secret": "new"})
    use_case.update(caller, webhook.webhook_id, AskedWebhook(channels=[changed]))
    webhooks.happen()
    webhooks.deliver()
    assert len(receiver.received[0].headers["webhook-signature"].split()) == 2


def test_secrets_are_nowhere_in_the_database_as_they_are(webhooks: WebhookWorld, receiver: Receiver) -> None:
    webhook = webhooks.webhook(
        receiver.url, signing_secret="sesame-open", headers={"Authorization": "Bearer sesame-open"}
    )
    shown = webhooks.get(webhook)
    assert shown.channels[0].configs["signing_secret"] == "redacted"
    assert shown.channels[0].configs["headers"] == {"Authorization": "redacted"}
    with webhooks.connection() as connection:
        rows = connection.execute(
            "SELECT to_jsonb(c)::text, encode(sealed, 'escape') FROM webhook_channels c"
        ).fetchall()
    assert "sesame-open" not in json.dumps(rows)
    assert "sesame" not in repr(shown)

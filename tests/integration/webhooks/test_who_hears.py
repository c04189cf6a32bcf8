"""Which webhook is told of what, and who may see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shoald.application.access import Caller
from shoald.application.listing import ListQuery
from shoald.application.namespaces import NewNamespace
from shoald.application.ports.repositories.webhooks import WebhookFilter
from shoald.application.webhook_channels import AskedChannel
from shoald.application.webhooks import AskedWebhook
from shoald.domain.failures import Conflict, DeliveryNotFound, InvalidFields, WebhookNotFound
from shoald.domain.platform_words import DeliveryStatus, EventType, Scope
from shoald.domain.records.api_key import ApiKey
from shoald.domain.records.webhook import Webhook
from support.webhook_receiver import Receiver, Reply
from support.webhook_world import WebhookWorld

pytestmark = pytest.mark.integration


def _asked(url: str, **more: Any) -> AskedWebhook:
    channels = [AskedChannel(channel="webhook", configs={"url": url})]
    return AskedWebhook(webhook_name="w", event_types=["cluster.created"], channels=channels, **more)


def _keyed(webhooks: WebhookWorld, *reach: str) -> Caller:
    key = ApiKey(
        key_id="k",
        name="k",
        secret_hash=b"",
        scopes=frozenset({Scope.WRITE}),
        namespace_ids=reach,
        project_ids=(),
        created_at=datetime.now(UTC),
    )
    return Caller(namespace_id=webhooks.world.caller.namespace_id, key=key)


def test_a_webhook_for_all_is_told_of_every_namespace_and_others_of_their_own(
    webhooks: WebhookWorld, receiver: Receiver
) -> None:
    use_cases = webhooks.world.use_cases
    other = use_cases.namespaces.create(NewNamespace(namespace_name="other"))
    use_cases.webhooks.create(webhooks.world.caller, _asked(f"{receiver.url}/all"), is_for_all=True)
    use_cases.webhooks.create(webhooks.world.caller, _asked(f"{receiver.url}/own"))
    with webhooks.world.adapters.open_unit_of_work() as uow:
        uow.events.add(webhooks.event(EventType.CLUSTER_CREATED, namespace_id=other.namespace_id))
        uow.commit()
    webhooks.happen()
    webhooks.deliver()
    assert sorted(one.path for one in receiver.received) == ["/all", "/all", "/own"]


def test_a_webhook_for_all_hears_no_more_than_its_maker_s_key_opens(webhooks: WebhookWorld, receiver: Receiver) -> None:
    caller = _keyed(webhooks, webhooks.world.caller.namespace_id, "ns_b")
    made = webhooks.world.use_cases.webhooks.create(caller, _asked(receiver.url), is_for_all=True)
    assert made.hears == (webhooks.world.caller.namespace_id, "ns_b")


def test_who_may_not_hear_as_much_does_not_see_it(webhooks: WebhookWorld, receiver: Receiver) -> None:
    api, mine = webhooks.world.use_cases.webhooks, webhooks.world.caller.namespace_id
    made = api.create(webhooks.world.caller, _asked(receiver.url), is_for_all=True)
    own = api.create(webhooks.world.caller, _asked(receiver.url))
    narrow = _keyed(webhooks, mine)
    page = api.list(narrow, WebhookFilter(), ListQuery(include_total=True))
    assert ([one.webhook_id for one in page.items], page.total) == ([own.webhook_id], 1)
    with pytest.raises(WebhookNotFound):
        api.get(narrow, made.webhook_id)
    with pytest.raises(WebhookNotFound):
        api.deliveries(narrow, made.webhook_id, ListQuery())
    with pytest.raises(WebhookNotFound):
        api.update(narrow, made.webhook_id, AskedWebhook(is_active=False))
    api.delete(narrow, made.webhook_id)
    assert api.get(webhooks.world.caller, made.webhook_id) == made


def test_another_namespace_has_no_such_webhook(webhooks: WebhookWorld, receiver: Receiver) -> None:
    api = webhooks.world.use_cases.webhooks
    made = api.create(webhooks.world.caller, _asked(receiver.url))
    elsewhere = Caller(namespace_id="ns_elsewhere")
    for call in (api.get, lambda caller, one: api.deliveries(caller, one, ListQuery())):
        with pytest.raises(WebhookNotFound):
            call(elsewhere, made.webhook_id)
    api.delete(elsewhere, made.webhook_id)
    assert api.get(webhooks.world.caller, made.webhook_id) == made


def test_resource_types_choose_among_events(webhooks: WebhookWorld, receiver: Receiver) -> None:
    api = webhooks.world.use_cases.webhooks
    api.create(webhooks.world.caller, _asked(f"{receiver.url}/yes", resource_types=["cluster"]))
    api.create(webhooks.world.caller, _asked(f"{receiver.url}/no", resource_types=["retriever"]))
    webhooks.happen()
    webhooks.happen(resource_type="retriever")
    webhooks.deliver()
    assert sorted(one.path for one in receiver.received) == ["/no", "/yes"]


def test_a_paused_webhook_is_not_told_of_what_happens_meanwhile(webhooks: WebhookWorld, receiver: Receiver) -> None:
    api, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    made = webhooks.webhook(receiver.url)
    webhooks.happen()
    webhooks.telling.run_pass()
    api.update(caller, made.webhook_id, AskedWebhook(is_active=False))
    webhooks.happen()
    assert webhooks.deliver() == 0
    api.update(caller, made.webhook_id, AskedWebhook(is_active=True))
    assert webhooks.deliver() == 1


def test_what_waits_for_a_channel_that_is_removed_is_given_up(webhooks: WebhookWorld, receiver: Receiver) -> None:
    api, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    made = webhooks.webhook(f"{receiver.url}/a", f"{receiver.url}/b")
    webhooks.happen()
    webhooks.telling.run_pass()
    one = AskedChannel(channel="webhook", configs={"url": f"{receiver.url}/c"})
    api.update(caller, made.webhook_id, AskedWebhook(channels=[one]))
    assert webhooks.deliver() == 1
    kept, gone = webhooks.deliveries(made)
    assert (kept.status, gone.status) == (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED)
    assert gone.attempts[0].error == "the channel was removed"
    assert [got.path for got in receiver.received] == ["/c"]
    with pytest.raises(Conflict):
        api.redeliver(caller, made.webhook_id, gone.delivery_id)
    with pytest.raises(DeliveryNotFound):
        api.redeliver(caller, made.webhook_id, "dlv_none")


def _with_credential(webhooks: WebhookWorld, url: str, text: str) -> Webhook:
    channel = AskedChannel(channel="webhook", configs={"url": url, "headers": {"Authorization": text}})
    present = webhooks.world.use_cases.webhooks.list(webhooks.world.caller, WebhookFilter(), ListQuery()).items
    asked = AskedWebhook(webhook_name="w", event_types=["cluster.created"], channels=[channel])
    api, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller
    return api.update(caller, present[0].webhook_id, asked) if present else api.create(caller, asked)


def test_a_credential_is_kept_at_its_address_and_goes_to_no_other(webhooks: WebhookWorld, receiver: Receiver) -> None:
    _with_credential(webhooks, f"{receiver.url}/a", "Bearer sesame")
    _with_credential(webhooks, f"{receiver.url}/b", "redacted")
    webhooks.happen()
    webhooks.deliver()
    assert receiver.received[0].headers["authorization"] == "Bearer sesame"
    with pytest.raises(InvalidFields):
        _with_credential(webhooks, "http://127.0.0.2:1/", "redacted")


def test_slack_gets_a_line_and_the_blocks_of_its_template(webhooks: WebhookWorld, receiver: Receiver) -> None:
    blocks = '[{"type": "section", "text": {"type": "mrkdwn", "text": "*{{ subject.id }}*"}}]'
    configs = {"webhook_url": receiver.url, "channel": "#ops", "blocks_template": blocks}
    asked = AskedWebhook(
        webhook_name="s", event_types=["cluster.created"], channels=[AskedChannel(channel="slack", configs=configs)]
    )
    webhooks.world.use_cases.webhooks.create(webhooks.world.caller, asked)
    [event] = webhooks.happen(num_clusters=3)
    webhooks.deliver()
    assert receiver.received[0].payload == {
        "text": f"cluster.created: cluster {event.subject_id} (num_clusters 3)",
        "channel": "#ops",
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": f"*{event.subject_id}*"}}],
    }


def test_the_address_of_a_slack_channel_is_a_secret(webhooks: WebhookWorld, receiver: Receiver) -> None:
    api, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller

    def asked(**configs: Any) -> AskedWebhook:
        channels = [AskedChannel(channel="slack", configs=configs)]
        return AskedWebhook(webhook_name="s", event_types=["cluster.created"], channels=channels)

    made = api.create(caller, asked(webhook_url=f"{receiver.url}/sesame"))
    assert made.channels[0].configs == {"webhook_url": "redacted"}
    with webhooks.connection() as connection:
        rows = connection.execute("SELECT to_jsonb(c)::text || encode(sealed, 'escape') FROM webhook_channels c")
        assert "sesame" not in str(rows.fetchall())
    api.update(caller, made.webhook_id, asked(webhook_url="redacted", channel="#ops"))
    webhooks.happen()
    webhooks.deliver()
    assert [one.path for one in receiver.received] == ["/sesame"]
    with pytest.raises(InvalidFields):
        api.create(caller, asked(webhook_url="redacted"))


@pytest.mark.parametrize("secret", ["redacted", None])
def test_secrets_that_cannot_be_opened_any_more_are_given_again(
    webhooks: WebhookWorld, receiver: Receiver, secret: str | None
) -> None:
    made = webhooks.webhook(receiver.url, signing_secret="sesame")
    with webhooks.connection() as connection:
        connection.execute("UPDATE webhook_channels SET sealed = sealed || 'x'")
    api, caller = webhooks.world.use_cases.webhooks, webhooks.world.caller

    def change(signing_secret: str | None) -> Webhook:
        configs = {"url": receiver.url, "signing_secret": signing_secret}
        return api.update(
            caller, made.webhook_id, AskedWebhook(channels=[AskedChannel(channel="webhook", configs=configs)])
        )

    with pytest.raises(InvalidFields):
        change(secret)
    change("open")
    webhooks.happen()
    webhooks.deliver()
    assert "x-mixpeek-signature" in receiver.received[0].headers


def test_blocks_that_are_no_json_are_said_in_the_delivery(webhooks: WebhookWorld, receiver: Receiver) -> None:
    configs = {"webhook_url": receiver.url, "blocks_template": "[{{ subject.id }}"}
    asked = AskedWebhook(
        webhook_name="s", event_types=["cluster.created"], channels=[AskedChannel(channel="slack", configs=configs)]
    )
    made = webhooks.world.use_cases.webhooks.create(webhooks.world.caller, asked)
    webhooks.happen()
    webhooks.deliver()
    [waiting] = webhooks.deliveries(made)
    assert (waiting.attempts[0].error or "").startswith("the message cannot be made")


def test_days_of_failures_pause_a_webhook(webhooks: WebhookWorld, receiver: Receiver) -> None:
    made = webhooks.webhook(receiver.url)
    receiver.answer = lambda _: Reply(500)
    webhooks.happen(2)
    webhooks.deliver()
    with webhooks.connection() as connection:
        connection.execute(
            "UPDATE webhooks SET delivery_health = delivery_health"
            """ || '{"first_failure_at": "2020-01-01T00:00:00.000000Z", "consecutive_failures": 20}'"""
        )
    webhooks.make_due()
    webhooks.deliver()
    paused = webhooks.get(made)
    assert not paused.is_active
    assert paused.delivery_health is not None
    assert paused.delivery_health["paused_reason"] == "every try has failed for 3 days"

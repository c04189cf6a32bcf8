"""WebhooksApi, and what its webhooks are told by a whole installation."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import mixpeek
import pytest
from mixpeek.exceptions import NotFoundException, UnprocessableEntityException

from sdk.conftest import Own
from support import sdk_world
from support.webhook_receiver import Received, Receiver, eventually, webhook_receiver


@pytest.fixture
def api(own: Own) -> Iterator[Any]:
    """The client's calls about webhooks, which name no namespace; what a test has made is gone after it."""
    api = mixpeek.WebhooksApi(own.client)
    before = {one.webhook_id for one in api.list_webhooks_organizations(limit=1000).results}
    yield api
    for one in api.list_webhooks_organizations(limit=1000).results:
        if one.webhook_id not in before:
            api.delete_webhook_organizations(one.webhook_id)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as one:
        yield one


def _asked(url: str, *types: str, name: str = "hook", **configs: Any) -> Any:
    channel = mixpeek.WebhookChannelInput(
        channel="webhook", configs=mixpeek.Configs(mixpeek.WebhookConfig(url=url, **configs))
    )
    return mixpeek.WebhookInput(webhook_name=name, event_types=list(types), channels=[channel])


def test_a_webhook_is_made_read_listed_changed_and_deleted(api: Any) -> None:
    url = "https://example.org/hook"
    made = api.create_webhook_organizations(
        _asked(url, "cluster.execution.completed", signing_secret="sesame", headers={"X-Team": "a"})
    )
    config = made.channels[0].configs.actual_instance
    assert (config.url, config.timeout, config.signing_secret) == (url, 10, "redacted")
    assert (made.is_active, made.delivery_health) == (True, None)
    assert api.get_webhook_organizations(made.webhook_id) == made
    listed = api.list_webhooks_organizations(
        limit=1,
        include_total=True,
        list_webhooks_request=mixpeek.ListWebhooksRequest(event_type="cluster.execution.completed", is_active=True),
    )
    assert [one.webhook_id for one in listed.results] == [made.webhook_id]
    assert listed.pagination.total == listed.total
    assert made.webhook_id in {one.webhook_id for one in api.list_webhooks_organizations().results}
    again = mixpeek.WebhookInput.from_dict({**made.to_dict(), "webhook_name": "other"})
    changed = api.update_webhook_organizations(made.webhook_id, again)
    assert (changed.webhook_id, changed.webhook_name) == (made.webhook_id, "other")
    assert changed.channels == made.channels
    for _ in range(2):
        assert api.delete_webhook_organizations(made.webhook_id) is None
    with pytest.raises(NotFoundException) as missing:
        api.get_webhook_organizations(made.webhook_id)
    assert missing.value.data.error.type == "NotFoundError"


def test_slack_and_several_channels_are_kept(api: Any) -> None:
    asked = _asked("https://example.org/", "cluster.created")
    slack = mixpeek.SlackConfig(webhook_url="https://hooks.slack.com/services/a/b/c", channel="#ops")
    asked.channels.append(mixpeek.WebhookChannelInput(channel="slack", configs=mixpeek.Configs(slack)))
    made = api.create_webhook_organizations(asked)
    assert [one.channel.value for one in made.channels] == ["webhook", "slack"]
    shown = made.channels[1].configs.actual_instance
    assert (shown.channel, shown.webhook_url) == ("#ops", "redacted")
    again = mixpeek.WebhookInput.from_dict(made.to_dict())
    assert api.update_webhook_organizations(made.webhook_id, again).channels == made.channels


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "nowhere"])
def test_an_address_inside_a_network_is_refused(api: Any, url: str) -> None:
    with pytest.raises(UnprocessableEntityException) as refused:
        api.create_webhook_organizations(_asked(url, "cluster.created"))
    [problem] = refused.value.data.error.details["validation_errors"]
    assert problem["location"] == ["body", "channels", 0, "configs", "url"]


def test_email_needs_a_mail_server(api: Any) -> None:
    mail = mixpeek.Configs(mixpeek.EmailConfigInput(to_addresses=["ada@example.org"]))
    channel = mixpeek.WebhookChannelInput(channel="email", configs=mail)
    asked = mixpeek.WebhookInput(webhook_name="mail", event_types=["cluster.created"], channels=[channel])
    with pytest.raises(UnprocessableEntityException):
        api.create_webhook_organizations(asked)


def test_a_run_is_told_from_its_beginning_to_its_end(own: Own, api: Any, receiver: Receiver) -> None:
    runs = ("cluster.execution.started", "cluster.execution.completed", "resource.executed")
    types = ("cluster.created", *runs, "cluster.deleted")
    made = api.create_webhook_organizations(_asked(f"{receiver.url}/told", *types, signing_secret="sesame"))
    sdk_world.upload(own.client, own.namespace)
    cluster = sdk_world.define(own.client, cluster_name="told")
    task = sdk_world.execute(own.client, cluster.cluster_id)
    mixpeek.ClustersApi(own.client).delete_cluster(cluster.cluster_id)
    told = _told(receiver, own.namespace, len(types))
    payloads = [one.payload for one in told]
    assert [one["event_type"] for one in payloads] == list(types)
    assert {one["subject"]["id"] for one in payloads} == {cluster.cluster_id}
    done = payloads[2]["metadata"]
    assert (done["run_id"], done["num_clusters"]) == (task.additional_data["run_id"], sdk_world.GROUPS)
    for got in told:
        timestamp, signature = (part.split("=")[1] for part in got.headers["x-mixpeek-signature"].split(","))
        signed = f"{timestamp}.".encode() + got.body
        assert signature == hmac.new(b"sesame", signed, hashlib.sha256).hexdigest()
    assert api.get_webhook_organizations(made.webhook_id).delivery_health is None


def _told(receiver: Receiver, namespace: str, number: int) -> list[Received]:
    """Wait for so many messages about a namespace: the webhook is told of all that happens meanwhile."""

    def mine() -> list[Received]:
        return [one for one in list(receiver.received) if one.payload["namespace_id"] == namespace]

    eventually(lambda: len(mine()) >= number, seconds=60)
    return mine()

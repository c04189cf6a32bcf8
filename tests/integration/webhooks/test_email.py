from __future__ import annotations

import email
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shoald.adapters.smtp.mailing import MailServer, SmtpMailer
from shoald.application.event_telling import EventTelling
from shoald.application.ports.messengers import Mail
from shoald.application.webhook_channels import AskedChannel
from shoald.application.webhooks import AskedWebhook
from shoald.domain.platform_words import DeliveryStatus
from shoald.domain.records.webhook import Webhook
from support.cluster_world import cluster_world
from support.fakes.mail_server import MailBox, mail_server
from support.webhook_world import WebhookWorld

pytestmark = pytest.mark.integration


@pytest.fixture
def box() -> Iterator[MailBox]:
    with mail_server() as one:
        yield one


@pytest.fixture
def webhooks(postgres_database: str, data_dir: Path, box: MailBox) -> Iterator[WebhookWorld]:
    settings = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_security": "none", "smtp_sender": "a@shoal.test"}
    with cluster_world(postgres_database, data_dir, **settings) as world:
        yield WebhookWorld(world, EventTelling(open_unit_of_work=world.adapters.open_unit_of_work))


def _mail_to(webhooks: WebhookWorld, *people: str, **configs: Any) -> Webhook:
    channel = AskedChannel(channel="email", configs={"to_addresses": list(people), **configs})
    asked = AskedWebhook(webhook_name="w", event_types=["cluster.created"], channels=[channel])
    return webhooks.world.use_cases.webhooks.create(webhooks.world.caller, asked)


def test_an_event_is_told_by_mail(webhooks: WebhookWorld, box: MailBox) -> None:
    _mail_to(
        webhooks,
        "ada@example.org",
        cc_addresses=["bob@example.org"],
        bcc_addresses=["eve@example.org"],
        subject_template="{{ event_type }}\r\nBcc: all@example.org",
        body_template="<b>{{ subject.id }}</b>",
        content_type="html",
    )
    [event] = webhooks.happen()
    assert webhooks.deliver() == 1
    [text] = box.messages
    message = email.message_from_string(text)
    assert box.recipients == ["ada@example.org", "bob@example.org", "eve@example.org"]
    assert (message["To"], message["Cc"], message["Bcc"]) == ("ada@example.org", "bob@example.org", None)
    assert message["Subject"] == "cluster.created Bcc: all@example.org"
    assert event.event_id in message["Message-ID"]
    assert message.get_content_type() == "text/html"
    assert event.subject_id in message.get_payload()


def test_who_is_refused_for_good_is_not_written_to_again(webhooks: WebhookWorld, box: MailBox) -> None:
    webhook = _mail_to(webhooks, "gone@example.org")
    box.answers["gone@example.org"] = "550 no such person"
    webhooks.happen()
    webhooks.deliver()
    [failed] = webhooks.deliveries(webhook)
    assert (failed.status, failed.attempts[0].error) == (
        DeliveryStatus.FAILED,
        "the mail server refused all recipients (550)",
    )
    assert webhooks.get(webhook).is_active  # another event may have other recipients once somebody has changed them


def test_a_server_that_is_away_is_tried_again(webhooks: WebhookWorld, box: MailBox) -> None:
    webhook = _mail_to(webhooks, "ada@example.org")
    box.answers["ada@example.org"] = "450 later"
    webhooks.happen()
    webhooks.deliver()
    box.answers.clear()
    webhooks.make_due()
    assert webhooks.deliver() == 1
    [done] = webhooks.deliveries(webhook)
    assert (done.status, len(box.messages)) == (DeliveryStatus.DELIVERED, 1)


def test_a_server_that_is_slow_at_every_recipient_is_left_before_the_lease_ends(box: MailBox) -> None:
    box.seconds_each = 0.05
    people = tuple(f"p{at}@example.org" for at in range(60))
    mailer = SmtpMailer(
        MailServer(host="127.0.0.1", port=box.port, sender="a@shoal.test", security="none", timeout_seconds=0.6)
    )
    reception = mailer.send(Mail(message_id="m", to=people, cc=(), bcc=(), subject="s", text="t"))
    assert (reception.error, reception.is_final) == ("the mail server cannot be reached", False)
    assert box.messages == []

from __future__ import annotations

import base64
import hmac

import pytest

from shoald.domain.webhooks.signatures import documented_signature, standard_key, standard_signature


def test_the_example_that_standard_webhooks_publishes_has_its_signature() -> None:
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = standard_signature([secret], message, 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_give_two_signatures_the_newest_first() -> None:
    both = standard_signature(["new", "old"], "evt_1", 7, b"{}").split()
    assert both == [
        "v1," + base64.b64encode(hmac.digest(key, b"evt_1.7.{}", "sha256")).decode() for key in (b"new", b"old")
    ]


@pytest.mark.parametrize("secret", ["sesame", "whsec_not base64!", "whsec_x"])
def test_what_is_no_base64_is_taken_as_it_is_written(secret: str) -> None:
    assert standard_key(secret) == secret.encode()


def test_the_documented_signature_is_over_the_time_and_the_raw_body() -> None:
    digest = hmac.new("sésame".encode(), b"12.\xff\x00", "sha256").hexdigest()
    assert documented_signature("sésame", 12, b"\xff\x00") == f"t=12,v1={digest}"

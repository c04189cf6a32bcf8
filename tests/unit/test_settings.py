from __future__ import annotations

import pytest
from pydantic import ValidationError

from shoald.cli.settings_table import rows
from shoald.entrypoints import serve
from shoald.settings import Settings, read_settings


def test_every_setting_says_what_it_sets() -> None:
    for name, _, description in rows():
        assert description.endswith("."), name


def test_settings_come_from_the_environment_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_UNARY_PORT", "1234")
    monkeypatch.setenv("SHOAL_OPENAI_API_KEY", "")
    settings = Settings()
    assert settings.unary_port == 1234
    assert settings.openai_api_key is None
    with pytest.raises(ValidationError):
        settings.unary_port = 1


def test_a_secret_does_not_print_itself() -> None:
    assert "hush" not in repr(Settings(signing_secret="hush"))  # type: ignore[arg-type]


def test_what_cannot_be_used_is_said_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_UNARY_PORT", "abc")
    monkeypatch.setenv("SHOAL_LEASE_SECONDS", "-1")
    with pytest.raises(SystemExit) as ended:
        read_settings()
    lines = str(ended.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["SHOAL_UNARY_PORT", "SHOAL_LEASE_SECONDS"]


def test_a_lease_that_ends_before_it_is_renewed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_LEASE_SECONDS", "5")
    with pytest.raises(SystemExit, match="SHOAL_HEARTBEAT_SECONDS must be less than SHOAL_LEASE_SECONDS"):
        read_settings()


def test_a_server_says_in_a_line_that_it_may_not_listen() -> None:
    with pytest.raises(SystemExit, match="SHOAL_ALLOW_OPEN"):
        serve.run(Settings(host="0.0.0.0"))  # noqa: S104 - refused here


@pytest.mark.parametrize("allowed", ["require_keys", "allow_open"])
def test_a_server_listens_beyond_this_machine_with_keys_or_when_told_so(allowed: str) -> None:
    serve.refuse_open_door(Settings(host="0.0.0.0", **{allowed: True}))  # type: ignore[arg-type]  # noqa: S104 - never bound


def test_networks_and_ports_of_webhooks_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("SHOAL_OUTWARD_PRIVATE_NETWORKS", "10.0.0.0/8, 10.0.0.1/8"), ("SHOAL_OUTWARD_PORTS", "443;80")):
        with monkeypatch.context() as changed:
            changed.setenv(name, text)
            with pytest.raises(SystemExit, match=name):
                read_settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[]", "must be an object"),
        ('{"m": 3}', "m: must be an object"),
        ('{"m": {"input": 1}}', "m: must be an object"),
        ('{"m": {"input": 1, "output": "2"}}', "m: output must be a number"),
        ('{"m": {"input": -1, "output": 2}}', "m: input must be a number"),
    ],
)
def test_prices_that_cannot_be_read_are_refused(monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv("SHOAL_LABEL_PRICES", text)
    with pytest.raises(SystemExit, match=f"SHOAL_LABEL_PRICES: .*{said}"):
        read_settings()

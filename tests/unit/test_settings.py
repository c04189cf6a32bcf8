from __future__ import annotations

import pytest
from pydantic import ValidationError

from shoald.cli.settings_table import rows
from shoald.settings import Settings


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

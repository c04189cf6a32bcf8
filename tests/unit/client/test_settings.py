"""Where a connection goes, and what its channel is told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from shoal.client import Settings


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://shoal/", "shoal:80"),
        ("https://shoal.example", "shoal.example:443"),
        ("http://[::1]:9", "[::1]:9"),
    ],
)
def test_an_address_is_read(url: str, target: str) -> None:
    settings = Settings(url=url)
    assert settings.target == target
    assert (settings.credentials is not None) == url.startswith("https")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "grpc://a:1", "http://", "http://a/api/v1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address like"):
        _ = Settings(url=url).target


def test_a_key_does_not_print_itself() -> None:
    settings = Settings(url="http://a", key="hush", namespace="n")
    assert "hush" not in repr(settings)
    assert settings.metadata == (("authorization", "Bearer hush"), ("x-namespace", "n"))


def test_the_options_of_the_user_win() -> None:
    options = dict(Settings(url="http://a", options=[("grpc.keepalive_time_ms", 1)]).channel_options())
    assert options["grpc.keepalive_time_ms"] == 1
    assert json.loads(str(options["grpc.service_config"]))["methodConfig"]


def test_the_import_needs_three_libraries_and_nothing_heavy() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pyarrow', 'numpy', 'pandas', 'polars', 'grpc_status']));"
        "import shoal.client; ours = {'shoal', 'google', 'grpc', 'buf'};"
        "print([n for n in sys.modules if '.' not in n and getattr(sys.modules[n], '__file__', None)"
        " and 'site-packages' in sys.modules[n].__file__ and n not in ours])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(eval(done.stdout))  # noqa: S307 - a list of names that the line above printed
    # grpcio itself takes its companions along where they are installed
    assert found <= {"typing_extensions", "_distutils_hack", "grpc_tools", "grpc_health", "grpc_reflection"}


def test_messages_are_loaded_when_they_are_needed() -> None:
    code = "import sys, shoal.client; print([name for name in sys.modules if name.endswith('_pb2')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_key_of_the_environment_is_shown_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_API_KEY", "shl_b")
    assert Settings(url="http://h:1").metadata == (("authorization", "Bearer shl_b"),)
    assert Settings(url="http://h:1", key="shl_a").metadata == (("authorization", "Bearer shl_a"),)

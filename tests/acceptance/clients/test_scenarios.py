"""The scenario of twelve steps, in every language, against a running Shoal: all print the same lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client_roads import NAME, Roads, roads
from support.stack import Stack

sys.path.append(str(Path(__file__).resolve().parents[3]))  # the tools are scripts, in no package that is installed
from tools.clients import CLIENTS, EXAMPLES, Client

pytestmark = pytest.mark.acceptance


def marked(client: Client) -> object:
    absent = pytest.mark.skipif(bool(client.missing), reason=f"needs {', '.join(client.missing)}: {client.install}")
    # the first build of C++ takes minutes, what npm fetches may too, and more where others build beside it
    marks = [absent, pytest.mark.timeout(1800), *([] if client.is_quick else [pytest.mark.nightly])]
    return pytest.param(client, id=client.name, marks=marks)


@pytest.mark.parametrize("client", [marked(client) for client in CLIENTS])
def test_the_twelve_steps(shoal_up: Stack, client: Client) -> None:
    assert client.run(shoal_up.url) == client.expected


# the two that know no proxy take their addresses apart as browsers do
WITHOUT_PROXY = ("typescript", "openapi")


@pytest.fixture(scope="module")
def on_the_way(shoal_up: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roads]:
    with roads(tmp_path_factory.mktemp("roads"), int(shoal_up.address.rpartition(":")[2])) as found:
        yield found


@pytest.mark.nightly
@pytest.mark.parametrize("client", [marked(client) for client in CLIENTS if client.name not in WITHOUT_PROXY])
@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_the_twelve_steps_at_an_address_without_a_port(
    on_the_way: Roads, client: Client, scheme: str, port: int
) -> None:
    on_the_way.asked_for.clear()
    assert client.run(f"{scheme}://{NAME}", on_the_way.environment()) == client.expected
    assert set(on_the_way.asked_for) == {f"{NAME}:{port}"}


@pytest.mark.nightly
@pytest.mark.parametrize("client", [marked(client) for client in CLIENTS if client.name in WITHOUT_PROXY])
def test_the_twelve_steps_over_tls(on_the_way: Roads, client: Client) -> None:
    url = f"https://127.0.0.1:{on_the_way.secure_port}"
    assert client.run(url, on_the_way.environment()) == client.expected


def test_steps_are_counted_by_what_they_print() -> None:
    client = CLIENTS[0]
    assert client.steps_passed(client.expected) == 12
    assert client.steps_passed([*client.expected[1:], "9 groups: 60"]) == 10


def test_every_folder_has_a_runner_and_says_how_to_use_it() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"scenario", "others"}
    assert folders == {client.name for client in CLIENTS}
    for name in folders:
        assert (EXAMPLES / name / "README.md").read_text().startswith("# ")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_key_is_that_of_the_command_line(client: Client) -> None:
    texts = [(EXAMPLES / client.name / file).read_text() for file in ("README.md", *client.sources)]
    assert set(re.findall(r"\bSHOAL_\w*KEY\b", "\n".join(texts))) == {"SHOAL_API_KEY"}


@pytest.mark.parametrize("name", ["python-dataclasses", "javascript", "go", "cpp", "ruby", "java"])
def test_answers_may_be_larger_than_what_grpc_takes_by_itself(name: str) -> None:
    (client,) = (client for client in CLIENTS if client.name == name)
    texts = [(EXAMPLES / name / file).read_text() for file in client.sources]
    assert re.search(r"\b64 (\* 1024 \* 1024|<< 20)", "\n".join(texts))

"""The paths that are served are those that are documented, each bound once, and Envoy sends each where it belongs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api import annotations_pb2
from shoal.options.v1 import options_pb2

from contract.contracts import ROOT, methods
from shoald.supervisor.envoy_config import contract_routes
from shoald.transport.http_bindings import http_rule

DOCUMENTED = json.loads(Path(__file__).with_name("documented_routes.json").read_text())
FILE_BODY = "google.api.HttpBody"


def shape(route: str) -> str:
    """Return a route without the names of its variables."""
    return re.sub(r"\{[^}]*\}", "{}", route)


def rules_of(method: Any) -> Iterator[Any]:
    rule = http_rule(method)
    if rule is not None:
        yield rule
        yield from rule.additional_bindings


def routes_of(method: Any) -> Iterator[str]:
    for rule in rules_of(method):
        verb = rule.WhichOneof("pattern")
        yield f"{verb.upper()} {getattr(rule, verb)}"


BOUND = Counter(shape(route) for method in methods() for route in routes_of(method))


def test_google_s_annotation_is_as_the_grpc_gateway_takes_it() -> None:
    """It refuses a file in which a call that takes a stream has variables in its path, or answers with a part of it."""
    for method in methods():
        if not method.GetOptions().HasExtension(annotations_pb2.http):
            continue
        main = method.GetOptions().Extensions[annotations_pb2.http]
        rules = [main, *main.additional_bindings]
        templates = [getattr(rule, rule.WhichOneof("pattern")) for rule in rules]
        assert not (method.client_streaming and any("{" in template for template in templates)), method.full_name
        assert not any(rule.body and rule.WhichOneof("pattern") in {"get", "delete"} for rule in rules), (
            method.full_name
        )


def test_each_route_is_bound_once() -> None:
    assert [route for route, times in BOUND.items() if times > 1] == []


@pytest.mark.parametrize("family", ["rag", "clusters"])
def test_every_documented_route_is_bound(family: str) -> None:
    assert {shape(route) for route in DOCUMENTED[family]["served"]} - set(BOUND) == set()


def test_no_route_is_undocumented() -> None:
    known = {
        shape(r) for family in ("rag", "clusters") for kind in ("served", "later") for r in DOCUMENTED[family][kind]
    }
    assert set(BOUND) - known == {shape(route) for route in DOCUMENTED["ours"]}


def test_what_comes_later_is_not_bound_yet() -> None:
    later = {shape(route) for family in ("rag", "clusters") for route in DOCUMENTED[family]["later"]}
    assert later & set(BOUND) == set(), "move these to `served`"


def test_a_literal_beside_a_variable_is_known() -> None:
    """A path that another one with a variable would match too: Envoy prefers the literal, which the edge tests hold."""
    by_verb: dict[str, list[str]] = {}
    for route in BOUND:
        verb, _, path = route.partition(" ")
        by_verb.setdefault(verb, []).append(path)
    pairs = {
        f"{verb} {literal}"
        for verb, paths in by_verb.items()
        for literal in paths
        for other in paths
        if literal != other and re.fullmatch(other.replace("{}", "[^/{}]+"), literal)
    }
    assert pairs == set()


def test_streams_over_json_are_file_bodies() -> None:
    """A typed stream that fails midway would look whole to an HTTP/1.1 client; a file body is broken off instead."""
    for method in methods():
        if method.server_streaming and any(True for _ in routes_of(method)):
            assert method.output_type.full_name == FILE_BODY, method.full_name


def test_a_streamed_body_of_json_says_which_message_it_is() -> None:
    for method in methods():
        name = method.GetOptions().Extensions[options_pb2.json_message]
        if name:
            assert method.output_type.full_name == FILE_BODY, method.full_name
            assert name.startswith("shoal."), method.full_name


def test_envoy_sends_streams_and_waiting_calls_to_their_own_port() -> None:
    expected = {
        f"/{method.containing_service.full_name}/{method.name}"
        for method in methods()
        if method.client_streaming or method.server_streaming or method.GetOptions().Extensions[options_pb2.may_wait]
    }
    routed = {path for path in contract_routes()["streams"] if path.startswith("/shoal.")}
    assert routed == expected


def test_a_body_is_a_field_or_everything() -> None:
    for method in methods():
        for rule in rules_of(method):
            assert rule.body in {"", "*"} or rule.body in method.input_type.fields_by_name, method.full_name
            assert not rule.response_body, f"{method.full_name}: Envoy refuses response_body"


def test_path_variables_are_fields_of_the_request() -> None:
    for method in methods():
        for route in routes_of(method):
            for name in re.findall(r"\{([^}=]+)", route):
                assert name in method.input_type.fields_by_name, f"{method.full_name}: {name}"


def test_the_wheel_carries_what_envoy_loads() -> None:
    configured = (ROOT / "pyproject.toml").read_text()
    assert '"gen/envoy" = "shoald/descriptors"' in configured
    assert '"envoy" = "shoald/envoy"' in configured

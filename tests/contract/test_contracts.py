"""What holds for every message and call of the contracts: comments, words, presence, failures, Envoy's twin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2
from shoal.errors.v1 import error_reason_pb2

from contract.contracts import ROOT, messages, methods, services, twin
from shoald.domain import failures, platform_words, vocabulary
from shoald.domain.failures import Failure, FieldProblem, InvalidFields
from shoald.transport.error_bodies import Family, json_body, status_of
from shoald.transport.failure_table import TABLE, answer_to
from shoald.transport.json_values import NULL_OFFSET, nullable_fields


def leaves(kind: type[Failure]) -> Iterator[type[Failure]]:
    for narrower in kind.__subclasses__():
        yield narrower
        yield from leaves(narrower)


FAILURES = [kind for kind in leaves(Failure) if kind.__module__ == failures.__name__]


def example(kind: type[Failure]) -> Failure:
    return (
        InvalidFields([FieldProblem(("body", "name"), "missing", "Field required", {})])
        if kind is InvalidFields
        else kind()
    )


@pytest.mark.parametrize("kind", FAILURES, ids=lambda kind: kind.__name__)
def test_every_failure_has_its_row(kind: type[Failure]) -> None:
    assert any(base in TABLE for base in kind.__mro__[:-1] if base is not Failure)
    assert answer_to(example(kind)).http_status >= 400


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in FAILURES]
    assert len(codes) == len(set(codes))


def test_the_contract_lists_every_code() -> None:
    listed = {name.removeprefix("ERROR_REASON_").lower() for name, _ in error_reason_pb2.ErrorReason.items()}
    assert listed - {"unspecified"} == {kind.code for kind in FAILURES}


def test_the_contract_shows_the_body_of_every_code() -> None:
    source = (ROOT / "proto/shoal/errors/v1/error_reason.proto").read_text()
    shown = re.findall(r"// ([A-Z_]+), HTTP (\d+): `(.*)`\n\s*ERROR_REASON_([A-Z_]+) =", source)
    assert len(shown) == len(FAILURES)
    by_code = {kind.code: example(kind) for kind in FAILURES}
    for status, http_status, body, name in shown:
        failure = by_code[name.lower()]
        answer = answer_to(failure)
        assert (status, int(http_status)) == (answer.status.name, answer.http_status), name
        assert body in {json_body(failure, family) for family in Family}, name


DOCUMENTED_STATUS = {
    "project_not_found": 404,
    "document_not_found": 404,
    "document_version_not_found": 404,
    "segment_set_not_found": 404,
    "chunk_set_not_found": 404,
    "index_not_found": 404,
    "index_build_not_found": 404,
    "job_not_found": 404,
    "unsupported_loader": 400,
    "unsupported_chunk_strategy": 400,
    "invalid_chunker_params": 400,
    "invalid_loader_params": 400,
    "unsupported_target": 400,
    "invalid_target": 400,
    "missing_target_id": 400,
    "empty_chunk_set": 400,
    "provider_unsupported": 501,
    "missing_dependency": 424,
    "embedding_failure": 500,
    "missing_faiss_artifact": 500,
    "cluster_not_found": 404,
    "already_exists": 409,
    "unauthenticated": 401,
    "permission_denied": 403,
    "too_many_requests": 429,
    "request_too_large": 413,
    "validation_error": 422,
    "unavailable": 503,
    "internal_error": 500,
}


@pytest.mark.parametrize(("code", "status"), DOCUMENTED_STATUS.items())
def test_documented_codes_have_the_documented_status(code: str, status: int) -> None:
    kind = next(kind for kind in FAILURES if kind.code == code)
    assert answer_to(example(kind)).http_status == status


@pytest.mark.parametrize("family", Family, ids=lambda family: family.value)
def test_no_body_is_too_long_for_a_header(family: Family) -> None:
    long = "é" * 50_000
    for failure in (
        failures.BadRequest(long, detail={"x": long}),
        InvalidFields([FieldProblem(("body", long), "missing", long, long)] * 500),
    ):
        body = json_body(failure, family)
        assert len(body) <= 32 * 1024
        assert body.isascii()
        assert len(status_of(failure).SerializeToString()) < 32 * 1024
        json.loads(body)


class Counted:
    """A thousand characters; how often they were written is counted."""

    written = 0

    def __str__(self) -> str:
        Counted.written += 1
        return "x" * 1000


def test_a_large_input_is_not_written_only_to_be_thrown_away() -> None:
    failure = InvalidFields([FieldProblem(("body",), "missing", "Field required", [Counted()] * 10_000)])
    body = json.loads(json_body(failure, Family.RAG))
    assert body["detail"] == [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]
    assert Counted.written < 100


# words that a document lists, by the enumeration that spells them


def word_lists() -> Iterator[tuple[str, set[str]]]:
    for message in messages():
        for field in message.fields:
            rules = field.GetOptions().Extensions[validate_pb2.field]
            strings = rules.repeated.items.string if field.is_repeated else rules.string
            listed = next((set(v) for rule, v in strings.ListFields() if rule.name == "in"), set())
            if listed:
                yield field.full_name, listed


ENUMERATIONS = {
    name: {word.value for word in kind}
    for name, kind in (vars(vocabulary) | vars(platform_words)).items()
    if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum
}


@pytest.mark.parametrize(
    ("field", "words"), list(word_lists()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_list_of_words_is_an_enumeration(field: str, words: set[str]) -> None:
    assert words in ENUMERATIONS.values(), f"{field}: no enumeration of the vocabulary spells exactly {sorted(words)}"


def image() -> descriptor_pb2.FileDescriptorSet:
    """Return our own files with comments, as sources: descriptors at run time have none."""
    import subprocess
    import sys
    import sysconfig
    import tempfile
    from pathlib import Path

    from tools.descriptors import validate_descriptor_set

    with tempfile.TemporaryDirectory() as folder:
        validate, out = Path(folder, "validate.binpb"), Path(folder, "all.binpb")
        validate.write_bytes(validate_descriptor_set().SerializeToString())
        sources = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I",
            str(ROOT / "proto"),
            "-I",
            sysconfig.get_path("purelib"),
        ]
        options = [
            f"--descriptor_set_in={validate}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={out}",
        ]
        subprocess.run([*command, *options, *sources], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


@pytest.fixture(scope="module")
def comments() -> dict[str, str]:
    from tools.descriptors import Contract

    return Contract(image()).comments


def test_everything_is_commented(comments: dict[str, str]) -> None:
    names = [message.full_name for message in messages()]
    names += [field.full_name for message in messages() for field in message.fields]
    names += [service.full_name for service in services()] + [method.full_name for method in methods()]
    assert [name for name in names if not comments.get(name)] == []


def test_a_comment_of_a_call_is_a_sentence(comments: dict[str, str]) -> None:
    for method in methods():
        comment = comments[method.full_name]
        assert comment[0].isupper(), method.full_name
        assert comment.endswith("."), method.full_name


def test_a_failure_that_a_comment_names_exists(comments: dict[str, str]) -> None:
    codes = {kind.code for kind in FAILURES}
    for method in methods():
        named = re.findall(
            r"[Ff]ails? (?:at once )?with ((?:`[a-z_]+`(?: \([^)]*\))?(?:, | and | or )*)+)", comments[method.full_name]
        )
        for sentence in named:
            unknown = set(re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", sentence))) - codes
            assert not unknown, f"{method.full_name}: {sorted(unknown)}"


def test_no_number_is_wider_than_json_carries() -> None:
    wide = {"int64", "uint64", "sint64", "fixed64", "sfixed64"}
    kinds = {3: "int64", 4: "uint64", 18: "sint64", 6: "fixed64", 16: "sfixed64"}
    for message in messages():
        for field in message.fields:
            assert kinds.get(field.type) not in wide, f"{field.full_name}: 64-bit integers are strings in JSON"


def test_scalars_of_requests_know_whether_they_are_there() -> None:
    for method in methods():
        for field in method.input_type.fields:
            if (
                method.input_type.full_name.startswith("shoal.")
                and field.message_type is None
                and not field.is_repeated
            ):
                assert field.has_presence, field.full_name


def twin_messages() -> Iterator[tuple[str, descriptor_pb2.DescriptorProto]]:
    def nested(
        prefix: str, message: descriptor_pb2.DescriptorProto
    ) -> Iterator[tuple[str, descriptor_pb2.DescriptorProto]]:
        yield f"{prefix}.{message.name}", message
        for inner in message.nested_type:
            yield from nested(f"{prefix}.{message.name}", inner)

    for file in twin().file:
        if file.name.startswith("shoal/"):
            for message in file.message_type:
                yield from nested(file.package, message)


TWIN = dict(twin_messages())


def test_the_twin_and_the_server_agree_on_nulls() -> None:
    for message in messages():
        marked = {(f.number, f.name) for f in nullable_fields(message)}
        in_twin = {
            (f.number - NULL_OFFSET, f.name.removesuffix("__null"))
            for f in TWIN[message.full_name].field
            if f.number > NULL_OFFSET
        }
        assert marked == in_twin, message.full_name


def test_the_twin_has_the_documented_names() -> None:
    for name, message in TWIN.items():
        for field in message.field:
            assert field.json_name in {field.name, field.name.removesuffix("__null")} or message.options.map_entry, (
                f"{name}.{field.name}"
            )


def test_a_bare_array_has_exactly_one_repeated_field() -> None:
    from shoal.options.v1 import options_pb2

    for message in messages():
        if message.GetOptions().Extensions[options_pb2.bare_array]:
            assert [field.is_repeated for field in message.fields] == [True], message.full_name


def test_every_call_is_served() -> None:
    """Nothing answers UNIMPLEMENTED: each rpc is a method of the servicer that is registered for it."""
    from shoald.transport.servicers.registration import REGISTRATIONS

    registered = {registration.service.full_name for registration in REGISTRATIONS}
    assert registered == {service.full_name for service in services()}


def test_pyproject_version_is_the_documents_version() -> None:
    version = json.loads((ROOT / "gen/openapi/all.json").read_text())["info"]["version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()


DOCUMENTED_CALLS = [
    (f"{verb} {path}", call)
    for path, calls in json.loads((ROOT / "gen/openapi/all.json").read_text())["paths"].items()
    for verb, call in calls.items()
]


@pytest.mark.parametrize("call", [call for _, call in DOCUMENTED_CALLS], ids=[name for name, _ in DOCUMENTED_CALLS])
def test_what_stands_in_a_path_is_required_and_never_null(call: dict[str, Any]) -> None:
    for parameter in call.get("parameters", ()):
        if parameter.get("in") == "path":
            assert parameter["required"]
            assert parameter["schema"]["type"] == "string"


def test_every_upload_is_documented_as_a_form() -> None:
    uploads = {name: call["requestBody"]["content"] for name, call in DOCUMENTED_CALLS if "binary" in json.dumps(call)}
    assert len(uploads) >= 4
    assert [name for name, content in uploads.items() if "multipart/form-data" not in content] == []

"""Writes the OpenAPI 3.1 documents of the JSON paths: one for each family, and one of both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from tools.descriptors import Binding, Contract, Rpc
from tools.openapi_errors import error_responses, error_schemas
from tools.openapi_schemas import Schemas, is_required

from shoald.transport.error_bodies import Family

Json = dict[str, Any]
_Field = descriptor_pb2.FieldDescriptorProto
_VARIABLE = re.compile(r"\{([^}=]+)(?:=[^}]*)?\}")
_FILE_BODY = "google.api.HttpBody"
_DETAILS = Path(__file__).with_name("openapi_details.json")


class FamilyDocument:
    """Collects the paths and schemas of one family."""

    def __init__(self, contract: Contract, family: Family, prefix: str = "") -> None:
        self._contract, self._family, self._prefix = contract, family, prefix
        self._details: Json = json.loads(_DETAILS.read_text(encoding="utf-8"))
        self.schemas = Schemas(contract, prefix, self._details)
        self.paths: Json = {}
        for rpc in contract.rpcs(f"shoal.{family.value}."):
            for number, binding in enumerate(rpc.bindings):
                self._add(rpc, binding, number)

    @property
    def components(self) -> Json:
        """Every schema that the paths refer to."""
        return {**self.schemas.components, **error_schemas(self._family, self._prefix)}

    @property
    def parameters(self) -> Json:
        """Every parameter that the paths refer to."""
        return {f"{self._prefix}Namespace": _NAMESPACE} if self._family is Family.CLUSTERS else {}

    def _add(self, rpc: Rpc, binding: Binding, number: int) -> None:
        path, renamed = self._path(binding)
        operation: Json = {
            "operationId": f"{self._prefix}{rpc.method.name}{number + 1 if number else ''}",
            "tags": ["admin" if "/admin/" in path else _tag(rpc.service)],
            "summary": rpc.comment.partition(". ")[0].rstrip(".") or rpc.method.name,
            "description": rpc.comment,
        }
        parameters = self._parameters(rpc, binding)
        if parameters:
            operation["parameters"] = [
                {**one, "name": renamed.get(one["name"], one["name"])} if one.get("in") == "path" else one
                for one in parameters
            ]
        body = self._request_body(rpc, binding)
        if body:
            operation["requestBody"] = body
        operation["responses"] = {"200": self._answer(rpc)} | error_responses(rpc.comment, self._family, self._prefix)
        self.paths.setdefault(path, {})[binding.method.lower()] = operation

    def _path(self, binding: Binding) -> tuple[str, dict[str, str]]:
        """Return the path of a binding, and what its variables are called there.

        Paths that differ by the names of variables only are one path in OpenAPI: the first one's names stand.
        """
        own = _VARIABLE.sub(r"{\1}", binding.path)
        form = _VARIABLE.sub("{}", binding.path)
        path = next((known for known in self.paths if _VARIABLE.sub("{}", known) == form), own)
        return path, dict(zip(_VARIABLE.findall(own), _VARIABLE.findall(path), strict=True))

    def _request(self, rpc: Rpc) -> tuple[str, descriptor_pb2.DescriptorProto]:
        name = rpc.method.input_type.lstrip(".")
        return name, self._contract.messages[name]

    def _parameters(self, rpc: Rpc, binding: Binding) -> list[Json]:
        name, message = self._request(rpc)
        in_path = _VARIABLE.findall(binding.path)
        parameters = []
        for field in message.field:
            is_path = field.name in in_path
            if not is_path and (binding.body in {"*", field.name} or _is_message(field)):
                continue
            schema = self.schemas.field(name, field, is_input=not is_path)
            described = schema.pop("description", None)
            parameter: Json = {"name": field.name, "in": "path" if is_path else "query", "schema": schema}
            if is_path:
                schema.update(_never_null(schema))
                described = (described or "").replace("; stands in the first message only", "")
            if is_path or is_required(field):
                parameter["required"] = True
            if described:
                parameter["description"] = described
            parameters.append(parameter)
        if self._family is Family.CLUSTERS:
            parameters.append({"$ref": f"#/components/parameters/{self._prefix}Namespace"})
        return parameters

    def _request_body(self, rpc: Rpc, binding: Binding) -> Json | None:
        name, message = self._request(rpc)
        if not binding.body:
            return None
        form = self._details["forms"].get(rpc.full_path)
        if form:
            return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
        in_path = frozenset(_VARIABLE.findall(binding.path))
        if binding.body == "*":
            schema = self.schemas.input(name, leave_out=in_path)
            required = any(is_required(field) for field in message.field if field.name not in in_path)
        else:
            field = next(field for field in message.field if field.name == binding.body)
            schema, required = self.schemas.field(name, field, is_input=True), is_required(field)
        content: Json = {"schema": schema}
        example = self._details["examples"].get(rpc.full_path, {}).get("request")
        if example is not None:
            content["example"] = example
        return {"required": required, "content": {"application/json": content}}

    def _answer(self, rpc: Rpc) -> Json:
        from shoal.options.v1 import options_pb2

        name = rpc.method.output_type.lstrip(".")
        written = rpc.method.options.Extensions[options_pb2.json_message]
        kinds = self._details["media_types"].get(rpc.full_path, [] if written else ["application/octet-stream"])
        texts = {kind: {"type": "string"} if kind.startswith("text/") else {} for kind in kinds}
        files: Json = {kind: {"schema": schema} for kind, schema in texts.items()} if name == _FILE_BODY else {}
        if files and not written:
            return {"description": "The file.", "content": files}
        shown = written or name
        body: Json = {"schema": self.schemas.bare_array(shown) or self.schemas.output(shown)}
        example = self._details["examples"].get(rpc.full_path, {}).get("response")
        if example is not None:
            body["example"] = example
        if rpc.full_path in self._details["may_be_null"]:
            body["schema"] = {"anyOf": [body["schema"], {"type": "null"}]}
        described = self._contract.comments.get(shown, "The answer.")
        return {"description": described, "content": {"application/json": body} | files}


# the RAG document's own words, where they are not the noun's plural
_TAGS = {
    "SegmentSetService": "segments",
    "ChunkSetService": "chunks",
    "IndexService": "indexes",
    "PipelineService": "pipeline",
    "RetrievalService": "retrieval",
    "ServiceInfoService": "service",
}


def _tag(service: str) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", service.removesuffix("Service")).lower()
    return _TAGS.get(service, f"{words}s")


def _never_null(schema: Json) -> Json:
    """Return the type of a value that stands in a path, where nothing can be left out."""
    kinds = [kind for kind in schema.get("type", ()) if kind != "null"] if isinstance(schema.get("type"), list) else []
    return {"type": kinds[0]} if len(kinds) == 1 else {}


def _is_message(field: _Field) -> bool:
    return bool(field.type == _Field.TYPE_MESSAGE)


_NAMESPACE: Json = {
    "name": "X-Namespace",
    "in": "header",
    "required": False,
    "description": "Id or name of the namespace; unset means the query parameter `namespace`, else `default`.",
    "schema": {"type": "string"},
}


def _document(title: str, version: str, families: list[FamilyDocument]) -> Json:
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/", "description": "The installation that hands out this document."}],
        "security": [],
        "paths": {},
        "components": {"schemas": {}, "parameters": {}},
    }
    for family in families:
        document["paths"] |= family.paths
        document["components"]["schemas"] |= family.components
        document["components"]["parameters"] |= family.parameters
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
    return document


def write_documents(contract: Contract, out: Path, version: str) -> None:
    """Write `rag.json`, `clusters.json` and `all.json`."""
    out.mkdir(parents=True)
    documents = {
        "rag": ("RAG API", [(Family.RAG, "")]),
        "clusters": ("Clusters API", [(Family.CLUSTERS, "")]),
        "all": ("Shoal", [(Family.RAG, "rag."), (Family.CLUSTERS, "clusters.")]),
    }
    for name, (title, families) in documents.items():
        made = [FamilyDocument(contract, family, prefix) for family, prefix in families]
        text = json.dumps(_document(title, version, made), indent=1, ensure_ascii=False)
        (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")

"""Every call of the contract, asked for what another namespace has, answers as if it were not there.

Once as it is, and once with the first check taken out: then the code believes that it works for the namespace whose
things are asked for, and row-level security alone says no.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from psycopg import sql
from pydantic import SecretStr

from contract.contracts import methods
from shoald.application.access import Caller, act_as
from shoald.application.namespaces import NewNamespace
from shoald.domain.identifiers import new_uuid
from shoald.domain.records.evaluation import Evaluation
from shoald.domain.records.retrieval_run import RetrievalRun
from shoald.entrypoints.serve import limits_of
from shoald.settings import Settings
from shoald.transport import callers
from shoald.transport.server import Addresses, Servers
from shoald.transport.servicers.registration import REGISTRATIONS, add_servicers
from shoald.wiring import Adapters, build_application
from support.builders import NOW
from support.cluster_world import NO_REDIS, ClusterWorld, groups_of
from support.rag_path import RagPath
from support.servers import DatabaseMaker
from support.tenant_requests import IDS_MADE, IDS_OF, Absent, filled, id_fields

pytestmark = pytest.mark.integration

SERVED = {registration.service.full_name for registration in REGISTRATIONS}
METHODS = [method for method in methods() if method.containing_service.full_name in SERVED]
OF_TYPE = {"text": "x", "jsonb": "{}", "integer": 1, "bigint": 1, "boolean": False, "bytea": b"", "ARRAY": []}
OF_TYPE |= {"timestamp with time zone": NOW, "double precision": 1.0}
NAMES = [method.full_name.removeprefix("shoal.") for method in METHODS]
ASKING = [(method, name) for method, name in zip(METHODS, NAMES, strict=True) if id_fields(method)]


@dataclass(frozen=True)
class Installation:
    """Servers over two namespaces, of which `theirs` has one of everything."""

    unary: grpc.Channel
    streams: grpc.Channel
    mine: Caller
    theirs: Caller
    ids: dict[str, str]

    def call(self, method: Any, request: Message, caller: Caller) -> Answer:
        """Call a method on behalf of a caller, and read what it says to the end."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind = ("stream" if method.client_streaming else "unary") + "_"
        kind += "stream" if method.server_streaming else "unary"
        answer = message_factory.GetMessageClass(method.output_type)
        channel = self.streams if kind != "unary_unary" else self.unary
        stub = getattr(channel, kind)(path, request_serializer=_serialized, response_deserializer=answer.FromString)
        given = iter([request]) if method.client_streaming else request
        try:
            found = stub(given, timeout=20, metadata=(("x-namespace", caller.namespace_id),))
            answers = [*found] if method.server_streaming else [found]
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "")
        return Answer("OK", " ".join(str(json_format.MessageToDict(one)) for one in answers))


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


@dataclass(frozen=True)
class Answer:
    """How a call ended: its code, and what it said."""

    code: str
    text: str

    def without(self, *names: str) -> Answer:
        """Return it with ids, and times, left out."""
        text = self.text
        for name in sorted(filter(None, names), key=len, reverse=True):
            text = text.replace(name, "<id>")
        return replace(self, text=re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>", text))


@pytest.fixture(scope="module")
def database(database_maker: DatabaseMaker) -> Iterator[str]:
    url = database_maker.make()
    yield url
    database_maker.drop(url)


@pytest.fixture(scope="module")
def installation(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    data = tmp_path_factory.mktemp("data")
    settings = Settings(
        database_url=database, redis_url=NO_REDIS, data_dir=Path(data), signing_secret=SecretStr("s" * 32)
    )
    adapters = Adapters(settings, is_server=True)
    use_cases = build_application(adapters)
    act_as(Caller(namespace_id=""))
    made = [use_cases.namespaces.create(NewNamespace(namespace_name=name)).namespace_id for name in ("mine", "theirs")]
    mine, theirs = map(use_cases.access.caller, made)
    act_as(theirs)
    fill(adapters, use_cases, theirs)
    for table, made_id in IDS_MADE.items():
        store_a_row(database, table, made_id, theirs.namespace_id)
    act_as(None)
    servers = Servers(add_servicers(use_cases), limits_of(settings), use_cases.access)
    taken = servers.start(Addresses(unary="127.0.0.1:0", streams="127.0.0.1:0"))
    with grpc.insecure_channel(taken.unary) as unary, grpc.insecure_channel(taken.streams) as streams:
        yield Installation(unary, streams, mine, theirs, ids_in(database, theirs.namespace_id))
    servers.drain(notice=0, grace=0)
    adapters.close()


def fill(adapters: Adapters, use_cases: Any, caller: Caller) -> None:
    """Make one of everything, as the caller's own server process would."""
    project = use_cases.projects.create(caller, name="theirs", description=None, settings={})
    rag = RagPath(adapters=adapters, use_cases=use_cases, caller=caller, project=project)
    chunks = rag.chunk(rag.texts("a lighthouse", "a ship"))
    rag.build(rag.index(config={"embedding_provider": "mock"}), chunks)
    clusters = ClusterWorld(adapters=adapters, use_cases=use_cases, caller=caller)
    clusters.store(groups_of(8, 8))
    cluster = clusters.define(feature_uris=["v"], clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    clusters.start(cluster)
    with adapters.open_unit_of_work() as uow:
        uow.evaluations.add(an_evaluation(project.project_id), [])
        uow.retrieval_runs.add(a_retrieval_run(project.project_id))
        uow.commit()


def store_a_row(url: str, table: str, made_id: str, namespace_id: str) -> None:
    """Store a row with something in every column that must have a value, whatever the table has to say to that."""
    known = {"namespace_id": namespace_id}
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        checks = "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'"
        for (name,) in connection.execute(checks, [table]).fetchall():
            connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(*map(sql.Identifier, (table, name))))
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
            [table],
        ).fetchall()
        own = columns[0][0]
        values = [made_id if name == own else known.get(name, OF_TYPE[kind]) for name, kind in columns]
        names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
        places = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, places), values
        )


def an_evaluation(project_id: str) -> Evaluation:
    return Evaluation(
        evaluation_id=new_uuid(),
        project_id=project_id,
        status="queued",
        params={},
        question_count=0,
        results={},
        artifact_uri=None,
        error_message=None,
        created_at=NOW,
        updated_at=NOW,
    )


def a_retrieval_run(project_id: str) -> RetrievalRun:
    return RetrievalRun(
        run_id=new_uuid(),
        project_id=project_id,
        strategy="bm25",
        query="ship",
        target_type="chunk_set",
        target_id=None,
        params={},
        results={},
        artifact_uri=None,
        is_deleted=False,
        created_at=NOW,
    )


def ids_in(url: str, namespace_id: str) -> dict[str, str]:
    """Return an id of the namespace for each column that a request may name, read past every check."""
    found: dict[str, str] = {}
    with psycopg.connect(url) as connection:
        for field, (column, tables) in IDS_OF.items():
            query = f"SELECT {column} FROM {tables} WHERE namespace_id = %s ORDER BY 1 LIMIT 1"  # noqa: S608 - ours
            row = connection.execute(query.encode(), [namespace_id]).fetchone()
            if row is not None:
                found[field] = str(row[0])
    return found


@pytest.fixture(params=["as it is", "without the first check"])
def asker(request: pytest.FixtureRequest, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """Return whom the calls say to be; the rows that they see are those of `mine` in either case."""
    if request.param == "as it is":
        return installation.mine
    monkeypatch.setattr(callers, "act_as", lambda _: act_as(installation.mine))
    return installation.theirs


@pytest.mark.parametrize(("method", "name"), ASKING, ids=[name for _, name in ASKING])
def test_what_another_namespace_has_is_as_if_it_were_not_there(
    method: Any, name: str, installation: Installation, asker: Caller
) -> None:
    foreign = filled(method, installation.ids, asker.namespace_id)
    absent = filled(method, Absent(installation.ids), asker.namespace_id)
    theirs = installation.call(method, foreign.message, asker).without(*foreign.ids, asker.namespace_id)
    nothing = installation.call(method, absent.message, asker).without(*absent.ids, asker.namespace_id)
    assert theirs == nothing
    assert theirs.code not in {"INVALID_ARGUMENT", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED"}, (name, theirs)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_no_answer_holds_an_id_of_another_namespace(method: Any, installation: Installation, asker: Caller) -> None:
    request = filled(method, Absent(installation.ids), asker.namespace_id)
    answer = installation.call(method, request.message, asker)
    held = [one for one in installation.ids.values() if len(one) > 8 and one in answer.text]
    assert [one for one in held if one != asker.namespace_id] == []


def test_every_id_of_every_call_is_tried() -> None:
    """A field of a new kind needs a place in `IDS_OF`, where the foreign id is found."""
    unknown = {
        f"{method.name}.{field}"
        for method in METHODS
        for field in id_fields(method)
        if not {field, f"rag.{field}" if ".rag." in method.full_name else f"clusters.{field}"} & set(IDS_OF)
    }
    assert unknown == set()


def test_there_is_something_to_be_found(installation: Installation) -> None:
    """Their own caller finds each thing that the others are refused: else nothing would have been tried."""
    assert set(IDS_OF) - set(installation.ids) == set()
    wanted = {"GetProject", "GetDocument", "GetIndexBuild", "GetCluster", "GetCollection", "GetChunkSet", "GetJob"}
    for method in METHODS:
        if method.name in wanted:
            request = filled(method, installation.ids, installation.theirs.namespace_id)
            found = installation.call(method, request.message, installation.theirs)
            assert found.code == "OK", (method.full_name, found)
    assert new_uuid() not in installation.ids.values()

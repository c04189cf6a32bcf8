"""`shoal serve`, `work`, `schedule`, `migrate`, `qdrant-owner`: one process each, set by the environment."""

from __future__ import annotations

from typing import Annotated

import typer


def serve() -> None:
    """Serve the API over gRPC: one process, two ports, set by the environment."""
    from shoald.entrypoints import serve as entry
    from shoald.settings import read_settings

    entry.run(read_settings())


def work() -> None:
    """Run jobs: a small parent and one process per slot."""
    from shoald.entrypoints import work as entry
    from shoald.settings import read_settings

    entry.run(read_settings())


def schedule() -> None:
    """Heal and relay jobs; any number of schedulers may run."""
    from shoald.entrypoints import schedule as entry
    from shoald.settings import read_settings

    entry.run(read_settings())


def qdrant_owner() -> None:
    """Answer Qdrant's gRPC API, as far as Shoal calls it, over shards in the data directory."""
    from shoald.entrypoints import qdrant_owner as entry
    from shoald.settings import read_settings

    entry.run(read_settings())


def migrate(
    wait: Annotated[float, typer.Option(help="Seconds to wait for a database that is not up yet.")] = 60.0,
    revision: Annotated[str, typer.Option(help="Revision to go to.")] = "head",
) -> None:
    """Make the database and bring it to the newest schema; safe to run any number of times at once."""
    from shoald.adapters.postgres.migrating import DatabaseOutOfReachError, MissingRightsError
    from shoald.entrypoints import migrate as entry
    from shoald.settings import read_settings

    try:
        entry.run(read_settings(), revision=revision, wait_seconds=wait)
    except (DatabaseOutOfReachError, MissingRightsError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def health(
    address: Annotated[
        str | None, typer.Option(help="Server to ask, host:port; unset: the one of the settings.")
    ] = None,
    service: Annotated[str, typer.Option(help="A service by its full name; empty: the server as a whole.")] = "",
) -> None:
    """Ask a server for its health over gRPC; ends with status 0 when it serves, else 1. For health checks."""
    import grpc
    from grpc_health.v1 import health_pb2

    from shoald.settings import read_settings

    target = address or f"127.0.0.1:{read_settings().unary_port}"
    with grpc.insecure_channel(target) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError as error:
            typer.echo(f"{target}: {error.code().name.lower()}", err=True)
            raise typer.Exit(1) from error
    word = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    typer.echo(f"{target}: {word.lower()}")
    if word != "SERVING":
        raise typer.Exit(1)

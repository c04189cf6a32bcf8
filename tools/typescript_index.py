"""Writes the entry point of the TypeScript package: one call that returns a client for every service."""

from __future__ import annotations

from pathlib import Path

from tools.descriptors import Contract

_CLIENTS = """\
// Clients of every service over any transport, for browsers too: `clients(createGrpcWebTransport({ baseUrl }))`.
import { createClient } from "@connectrpc/connect";
"""

_CLIENT_TYPES = """\
import type { Client, Transport } from "@connectrpc/connect";
"""

# What knows Node stands by itself, so that a browser's bundle does without it.
_INDEX = """\
// Connects to Shoal over gRPC: `const shoal = connect("http://127.0.0.1:8000")`.
import { createGrpcTransport } from "@connectrpc/connect-node";
import { clients } from "./clients.js";

export { clients };

// Makes a client of every service at one address.
export function connect(baseUrl, options = {}) {
  return clients(createGrpcTransport({ ...options, baseUrl }));
}
"""

_INDEX_TYPES = """\
import type { GrpcTransportOptions } from "@connectrpc/connect-node";
import type { Shoal } from "./clients.js";

export { clients, type Shoal } from "./clients.js";
/** Makes a client of every service at one address. */
export declare function connect(baseUrl: string, options?: Omit<GrpcTransportOptions, "baseUrl">): Shoal;
"""


def _member(package: str, service: str) -> str:
    """Return the name of a service's client: `rag.projects` becomes `ragProject` of `shoal.rag.v1.ProjectService`."""
    family = package.split(".")[1]
    return family + service.removesuffix("Service")


def write_index(contract: Contract, out: Path) -> None:
    """Write `clients` over all services of the contract, and `index` with what connects to them from Node."""
    services = [
        (file.name.removesuffix(".proto"), file.package, service.name)
        for file in contract.ours()
        for service in file.service
    ]
    js, dts = [_CLIENTS], [_CLIENT_TYPES]
    for path, package, name in services:
        alias = _member(package, name)
        js.append(f'import {{ {name} as {alias} }} from "./{path}_pb.js";\n')
        dts.append(f'import type {{ {name} as {alias} }} from "./{path}_pb.js";\n')
    members = [_member(package, name) for _, package, name in services]
    js.append("\n// Makes a client of every service over one transport.\n")
    js.append("export function clients(transport) {\n  return {\n")
    js += [f"    {member}: createClient({member}, transport),\n" for member in members]
    js.append("  };\n}\n")
    dts.append("\n/** One client for every service. */\nexport interface Shoal {\n")
    dts += [f"  {member}: Client<typeof {member}>;\n" for member in members]
    dts.append("}\n\n/** Makes a client of every service over one transport. */\n")
    dts.append("export declare function clients(transport: Transport): Shoal;\n")
    for name, parts in (
        ("clients.js", js),
        ("clients.d.ts", dts),
        ("index.js", [_INDEX]),
        ("index.d.ts", [_INDEX_TYPES]),
    ):
        (out / name).write_text("".join(parts), encoding="utf-8")

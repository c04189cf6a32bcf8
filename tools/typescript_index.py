"""Writes the entry point of the TypeScript package: one call that returns a client for every service."""

from __future__ import annotations

from pathlib import Path

from tools.descriptors import Contract

_JS_HEAD = """\
// Connects to Shoal over gRPC: `const shoal = connect("http://127.0.0.1:8000")`.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
"""

_DTS_HEAD = """\
import type { Client, Transport } from "@connectrpc/connect";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";
"""


def _member(package: str, service: str) -> str:
    """Return the name of a service's client: `rag.projects` becomes `ragProject` of `shoal.rag.v1.ProjectService`."""
    family = package.split(".")[1]
    return family + service.removesuffix("Service")


def write_index(contract: Contract, out: Path) -> None:
    """Write `index.js` and `index.d.ts` over all services of the contract."""
    services = [
        (file.name.removesuffix(".proto"), file.package, service.name)
        for file in contract.ours()
        for service in file.service
    ]
    js, dts = [_JS_HEAD], [_DTS_HEAD]
    for path, package, name in services:
        alias = _member(package, name)
        js.append(f'import {{ {name} as {alias} }} from "./{path}_pb.js";\n')
        dts.append(f'import type {{ {name} as {alias} }} from "./{path}_pb.js";\n')
    members = [_member(package, name) for _, package, name in services]
    js.append("\n// Makes a client of every service over one transport.\n")
    js.append("export function clients(transport) {\n  return {\n")
    js += [f"    {member}: createClient({member}, transport),\n" for member in members]
    js.append("  };\n}\n\n// Makes a client of every service at one address.\n")
    js.append("export function connect(baseUrl, options = {}) {\n")
    js.append("  return clients(createGrpcTransport({ ...options, baseUrl }));\n}\n")
    dts.append("\n/** One client for every service. */\nexport interface Shoal {\n")
    dts += [f"  {member}: Client<typeof {member}>;\n" for member in members]
    dts.append("}\n\n/** Makes a client of every service over one transport. */\n")
    dts.append("export declare function clients(transport: Transport): Shoal;\n")
    dts.append("/** Makes a client of every service at one address. */\n")
    dts.append(
        'export declare function connect(baseUrl: string, options?: Omit<GrpcTransportOptions, "baseUrl">): Shoal;\n'
    )
    (out / "index.js").write_text("".join(js), encoding="utf-8")
    (out / "index.d.ts").write_text("".join(dts), encoding="utf-8")

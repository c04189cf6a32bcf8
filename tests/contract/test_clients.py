"""The generated clients of other kinds call a server through Envoy: unary, a stream, an error with its details."""

# mypy: disable-error-code="abstract"

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from contract.contracts import ROOT
from contract.trial_services import SegmentSets, adder
from support.edge_stack import Edge, running_edge

pytestmark = pytest.mark.integration

NODE_MODULES = ROOT / "build" / "typescript" / "node_modules"  # `make gen` puts them there

SCRIPT = """
import { connect } from "shoal-client";
import { clients } from "shoal-client/clients";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "shoal-client/google/rpc/error_details_pb";
const [baseUrl, way] = process.argv.slice(2);
const shoal = way === "grpc" ? connect(baseUrl) : clients(createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }));
const project = await shoal.ragProject.getProject({ projectId: "here" });
let bytes = 0;
const parts = shoal.ragSegmentSet.getSegmentSetWithItems({ segmentSetId: "whole" });
for await (const part of parts) bytes += part.data.length;
let reason = "";
try {
  await shoal.ragProject.getProject({ projectId: "nope" });
} catch (error) {
  reason = ConnectError.from(error).findDetails(ErrorInfoSchema)[0].reason;
}
console.log(JSON.stringify([project.name, bytes, reason]));
"""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge"), adder(SegmentSets())) as running:
        yield running


def test_the_dataclass_client(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "gen" / "betterproto2"))
    from shoal_client.shoal.rag import v1  # type: ignore[import-not-found]

    with grpc.insecure_channel(edge.address) as channel:
        stub = v1.ProjectServiceStub(channel)
        project = stub.get_project(v1.GetProjectRequest(project_id="here"))
        assert (project.name, project.description) == ("here", None)
        parts = v1.SegmentSetServiceStub(channel).get_segment_set_with_items(
            v1.GetSegmentSetWithItemsRequest(segment_set_id="whole")
        )
        assert sum(len(part.data) for part in parts) > 1_000_000
        with pytest.raises(grpc.RpcError) as raised:
            stub.get_project(v1.GetProjectRequest(project_id="nope"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.skipif(
    not (shutil.which("node") and NODE_MODULES.is_dir()), reason="needs node and what `make gen` installs for it"
)
@pytest.mark.parametrize("way", ["grpc", "grpc-web"])
def test_the_typescript_client(edge: Edge, tmp_path: Path, way: str) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    for package in NODE_MODULES.iterdir():
        (modules / package.name).symlink_to(package)
    shutil.copytree(ROOT / "gen" / "typescript", modules / "shoal-client")
    script = tmp_path / "call.mjs"
    script.write_text(SCRIPT)
    done = subprocess.run(["node", script, edge.url, way], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == '["here",1048588,"PROJECT_NOT_FOUND"]', done.stderr


def test_browsers_load_nothing_of_node() -> None:
    text = (ROOT / "gen" / "typescript" / "clients.js").read_text()
    assert set(re.findall(r'from "(?!\./)(.+)";', text)) == {"@connectrpc/connect"}


def test_stubs_load_nothing_heavy() -> None:
    """A server starts without the numeric libraries, which only workers need."""
    code = (
        "import sys, shoald.transport.server, shoald.transport.servicers.registration;"
        "heavy = {'numba', 'umap', 'torch', 'cuml', 'faiss', 'sklearn', 'hdbscan', 'onnxruntime'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

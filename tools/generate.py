"""Generates `gen/` from `proto/`; `--check` fails when what is committed differs, `--release` freezes the contract.

Everything is made in a temporary folder and then moved over, so that an error leaves `gen/` as it was.
"""

from __future__ import annotations

import argparse
import fcntl
import filecmp
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from google.protobuf import descriptor_pb2  # noqa: E402 - the path above comes first
from tools.descriptors import Contract, validate_descriptor_set  # noqa: E402 - the same

PROTO, GEN, TOOLS = ROOT / "proto", ROOT / "gen", ROOT / "tools"
RELEASED = PROTO / "released.binpb"
COMPOSE_ENVOY = ROOT / "envoy" / "envoy.yaml"  # made too, but it lies where docker-compose.yml mounts it
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
SCRIPTS = Path(sysconfig.get_path("scripts"))
# google's own files that Envoy shows in answers: the types of error details
DETAILS = ["google/rpc/status.proto", "google/rpc/error_details.proto"]

GEN_README = """\
# Generated code

Made from `proto/` by `make gen`; nothing here is written by hand, and `make check` fails when it differs.
`python/` holds messages and stubs, `betterproto2/` and `typescript/` a client package each, `clients/` what clients of
any language share, `openapi/` the documents that the server answers with, `envoy/` what Envoy loads.
"""

BETTERPROTO_PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shoal-client-dataclasses"
version = "{version}"
description = "Typed dataclass client of Shoal, generated from its protobuf contract."
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = ["betterproto2[grpcio]>=0.10,<0.11"]

[tool.hatch.build.targets.wheel]
packages = ["shoal_client"]
"""


class GenerationError(Exception):
    """A step failed; the message says which and why."""


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run one step, and say what it printed if it fails."""
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shown = " ".join(Path(str(part)).name for part in command[:3])
        raise GenerationError(f"{shown} failed:\n{done.stdout}{done.stderr}".rstrip())


def sources() -> list[str]:
    """Return our proto files, relative to the proto root, in a fixed order."""
    return sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))


class Generation:
    """One run: `out` becomes `gen/`, `work` holds what is needed in between."""

    def __init__(self, out: Path, work: Path) -> None:
        self.out, self.work = out, work
        self.validate = work / "validate.binpb"
        self.image = work / "all.binpb"

    def protoc(self, *arguments: str) -> None:
        """Call protoc with the import paths that every step shares."""
        run(
            sys.executable,
            *("-m", "grpc_tools.protoc", "-I", PROTO, "-I", SITE_PACKAGES),
            *(f"--descriptor_set_in={self.validate}", *arguments),
        )

    def make_image(self) -> None:
        """Compile all sources with imports and comments: the input of buf, Envoy, OpenAPI and other languages."""
        self.validate.write_bytes(validate_descriptor_set().SerializeToString(deterministic=True))
        everything = [*sources(), *DETAILS]
        self.protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={self.image}", *everything)

    def read_contract(self) -> Contract:
        """Return the image with the options in it, which are known once the code just made is imported."""
        sys.path[:0] = [str(self.out / "python"), str(ROOT / "src")]
        for module in ("buf.validate.validate_pb2", "shoal.options.v1.options_pb2", "google.api.annotations_pb2"):
            importlib.import_module(module)
        return Contract(descriptor_pb2.FileDescriptorSet.FromString(self.image.read_bytes()))

    def lint(self) -> None:
        """Check style, and that nothing released was broken."""
        run("buf", "lint", self.image, "--path", "shoal", "--config", ROOT / "buf.yaml")
        if RELEASED.exists():
            run("buf", "breaking", self.image, "--against", RELEASED, "--config", ROOT / "buf.yaml", "--path", "shoal")

    def python(self) -> None:
        """Make messages, stubs and their types."""
        out = self.out / "python"
        out.mkdir(parents=True)
        plugins = [f"--python_out={out}", f"--mypy_out=quiet:{out}"]
        services = [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"]
        self.protoc(*plugins, *services, *sources())
        self.protoc(*plugins, "buf/validate/validate.proto")

    def betterproto2(self) -> None:
        """Make the dataclass client, in a package of its own since the name `shoal` is taken."""
        package = self.out / "betterproto2" / "shoal_client"
        package.mkdir(parents=True)
        calls = [f"--python_betterproto2_out={package}", "--python_betterproto2_opt=client_generation=sync"]
        self.protoc(*calls, *sources())
        project = BETTERPROTO_PROJECT.format(version=project_version())
        (package.parent / "pyproject.toml").write_text(project, encoding="utf-8")
        (package / "py.typed").touch()

    def typescript(self, contract: Contract) -> None:
        """Make the node client by protoc-gen-es, which npm brings."""
        out = self.out / "typescript"
        out.mkdir(parents=True)
        plugin = npm_plugin()
        template = self.work / "buf.gen.yaml"
        template.write_text(
            "version: v2\nplugins:\n"
            f"  - local: ['node', '{plugin}']\n    out: {out}\n"
            "    opt: [target=js+dts, import_extension=js]\n    include_imports: true\n",
            encoding="utf-8",
        )
        run("buf", "generate", self.image, "--template", template)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(TOOLS / "typescript" / name, out / name)
        from tools.typescript_index import write_index

        write_index(contract, out)

    def envoy(self, contract: Contract) -> None:
        """Make the descriptor set that Envoy loads, and what its configuration must know of the contract."""
        from tools.envoy_routes import write_routes
        from tools.envoy_twin import twin

        out = self.out / "envoy"
        out.mkdir(parents=True)
        (out / "shoal.binpb").write_bytes(twin(contract.files).SerializeToString(deterministic=True))
        write_routes(contract, out)
        from tools.envoy_yaml import write_yaml

        write_yaml(out / "routes.json", self.work / COMPOSE_ENVOY.name)

    def openapi(self, contract: Contract) -> None:
        """Make the OpenAPI documents of both families and of both together."""
        from tools.openapi import write_documents

        write_documents(contract, self.out / "openapi", project_version())

    def all(self) -> None:
        """Run every step in the order in which they need each other."""
        self.make_image()
        self.lint()
        self.python()
        self.betterproto2()
        contract = self.read_contract()
        self.envoy(contract)
        self.openapi(contract)
        self.typescript(contract)
        self.clients(contract)
        (self.out / "README.md").write_text(GEN_README, encoding="utf-8")

    def clients(self, contract: Contract) -> None:
        """Make what client packages of any language share, and the typed index of the Python stubs."""
        from tools.python_services import write_services
        from tools.service_config import write_service_config

        package, shared = self.out / "python" / "shoal", self.out / "clients"
        write_services(contract, package)
        packages = (package, shared, self.out / "betterproto2" / "shoal_client", self.out / "typescript")
        write_service_config(contract, *(folder / "service_config.json" for folder in packages))
        (shared / "shoal.binpb").write_bytes(without_sources(self.image))
        from tools.plain_contract import without_rules

        plain = without_rules(descriptor_pb2.FileDescriptorSet.FromString((shared / "shoal.binpb").read_bytes()))
        (shared / "shoal_without_rules.binpb").write_bytes(plain.SerializeToString(deterministic=True))
        (shared / "protos.txt").write_text("".join(f"{name}\n" for name in sources()), encoding="utf-8")


def without_sources(image: Path) -> bytes:
    """Return a descriptor set without comments and places, which only people read."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    for file in files.file:
        file.ClearField("source_code_info")
    return files.SerializeToString(deterministic=True)


def project_version() -> str:
    """Return the version that pyproject.toml names."""
    import tomllib

    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def npm_plugin() -> Path:
    """Return protoc-gen-es, installed by npm below build/ from the lock file in tools/typescript."""
    if not (shutil.which("node") and shutil.which("npm")):
        raise GenerationError(
            "the TypeScript client needs node 20 or newer and npm, which are not on PATH; "
            "install them (Debian: apt-get install nodejs npm), or check on a machine that has them"
        )
    home = ROOT / "build" / "typescript"
    lock = TOOLS / "typescript" / "package-lock.json"
    installed = home / "package-lock.json"
    plugin = home / "node_modules" / "@bufbuild" / "protoc-gen-es" / "bin" / "protoc-gen-es"
    if not (plugin.exists() and installed.exists() and filecmp.cmp(lock, installed, shallow=False)):
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOOLS / "typescript" / "package.json", home / "package.json")
        shutil.copyfile(lock, installed)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved", cwd=home)
    return plugin


def files_below(folder: Path) -> set[Path]:
    """Return every file below a folder, relative to it; caches are not files of ours."""
    every = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder) for path in every}


def differences(made: Path, kept: Path) -> list[str]:
    """Return one line for each file that differs."""
    new, old = files_below(made), files_below(kept)
    lines = [f"missing   {path}" for path in new - old] + [f"left over {path}" for path in old - new]
    lines += [f"differs   {path}" for path in new & old if not filecmp.cmp(made / path, kept / path, shallow=False)]
    return sorted(lines)


def differing_file(made: Path, kept: Path) -> list[str]:
    """Return a line when one file differs."""
    is_same = kept.exists() and filecmp.cmp(made, kept, shallow=False)
    return [] if is_same else [f"differs   {kept.relative_to(ROOT)}"]


def move_over(made: Path, kept: Path) -> None:
    """Make `kept` equal to `made`, touching only what differs."""
    for path in files_below(kept) - files_below(made):
        (kept / path).unlink()
    for path in files_below(made):
        target = kept / path
        if not target.exists() or not filecmp.cmp(made / path, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            shutil.copyfile(made / path, part)
            part.replace(target)


@contextmanager
def one_at_a_time() -> Iterator[Path]:
    """Hold the lock of generation, and lend a temporary folder."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "generate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(prefix="shoal-gen-") as folder:
            yield Path(folder)


def release(image: Path) -> None:
    """Freeze the contract as it is, for `buf breaking` to compare with."""
    RELEASED.write_bytes(without_sources(image))


def main() -> int:
    """Generate, check or release; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail on any difference, change nothing")
    parser.add_argument("--release", action="store_true", help="rewrite proto/released.binpb as well")
    arguments = parser.parse_args()
    with one_at_a_time() as folder:
        generation = Generation(folder / "gen", folder)
        try:
            generation.all()
        except GenerationError as error:
            print(error, file=sys.stderr)
            return 1
        changed = differences(folder / "gen", GEN) + differing_file(folder / COMPOSE_ENVOY.name, COMPOSE_ENVOY)
        if arguments.check:
            print(
                "\n".join(["gen/ differs from proto/: run `make gen` and commit it", *changed])
                if changed
                else "gen/ is up to date"
            )
            return 1 if changed else 0
        move_over(folder / "gen", GEN)
        shutil.copyfile(folder / COMPOSE_ENVOY.name, COMPOSE_ENVOY)
        print("\n".join(changed) if changed else "nothing changed")
        if arguments.release:
            release(generation.image)
    return 0


if __name__ == "__main__":
    sys.exit(main())

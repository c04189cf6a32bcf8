"""Runs the scenario of examples/clients in every language that this machine can, and says what the others need.

`python tools/clients.py [NAME …]` starts a Shoal of its own; `--url` takes one that runs.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import filecmp
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES, GEN, BUILD = ROOT / "examples" / "clients", ROOT / "gen", ROOT / "build" / "clients"
NOTES = EXAMPLES / "scenario" / "notes.md"
_PLAIN = GEN / "clients" / "shoal_without_rules.binpb"
_SECONDS, _LONG_SECONDS = 240, 1200
_STEPS, _OLDEST_NODE = 12, 20


class ClientError(Exception):
    """A client could not be built, or did not run to its end; the message says what it printed."""


def run(
    *command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, seconds: float = _SECONDS
) -> str:
    """Run one step and return what it printed; say what it printed when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise ClientError(f"{' '.join(words[:3])} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def _nothing(_folder: Path) -> None:
    """Build nothing: the sources run as they are."""


def _npm(folder: Path) -> None:
    """Install what the lock file names, unless that is there."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".installed.json"
    if not (installed.exists() and filecmp.cmp(lock, installed, shallow=False)):
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        shutil.copyfile(lock, installed)


def _typescript(folder: Path) -> None:
    """Install, put the generated package of today in its place, and compile."""
    ours = BUILD / "gen" / "typescript"
    shutil.rmtree(ours, ignore_errors=True)
    shutil.copytree(GEN / "typescript", ours, ignore=shutil.ignore_patterns("node_modules"))
    _npm(folder)
    shutil.copytree(ours, folder / "node_modules" / "shoal-client", dirs_exist_ok=True)
    run("node", "node_modules/typescript/bin/tsc", cwd=folder)


@functools.cache
def _is_node_old() -> bool:
    """Say whether the node on PATH is older than the oldest that the clients were seen to run with."""
    return int(run("node", "--version", cwd=ROOT).lstrip("v").partition(".")[0]) < _OLDEST_NODE


@dataclass(frozen=True)
class Client:
    """One language's form of the scenario: a folder of examples/clients, and what it takes to run it."""

    name: str
    sources: tuple[str, ...]
    """The files that a user writes, for counting their lines."""
    command: tuple[str, ...]
    programs: tuple[str, ...] = ()
    """What must be on PATH."""
    files: tuple[str, ...] = ()
    """What else must be on the machine."""
    install: str = ""
    """How to get both."""
    build: Callable[[Path], None] = _nothing
    environment: Mapping[str, str] = field(default_factory=dict)
    is_quick: bool = False
    """Whether it runs in `make test` too, not in its nightly form only."""
    expected_file: str = "expected.txt"
    """The lines that it prints, in examples/clients/scenario."""

    @property
    def expected(self) -> list[str]:
        """The lines that it prints."""
        return (EXAMPLES / "scenario" / self.expected_file).read_text(encoding="utf-8").splitlines()

    def steps_passed(self, printed: list[str]) -> int:
        """Return how many of the twelve steps printed just what they should."""
        steps = {line.split()[0] for line in self.expected}
        return sum(_of(step, printed) == _of(step, self.expected) for step in steps)

    @property
    def missing(self) -> list[str]:
        """What this machine lacks."""
        programs = [program for program in self.programs if not shutil.which(program)]
        if "node" in self.programs and "node" not in programs and _is_node_old():
            programs.append("a newer node")
        return programs + [file for file in self.files if not Path(file).exists()]

    @property
    def lines(self) -> int:
        """Lines of code that a user writes, without blank ones and comments of their own."""
        texts = [(EXAMPLES / self.name / source).read_text(encoding="utf-8") for source in self.sources]
        lines = [line.strip() for text in texts for line in text.splitlines()]
        return sum(1 for line in lines if line and not line.startswith(("#", "//", "*", "/*")))

    def run(self, url: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Build it from today's sources and return the lines that it prints against the Shoal at `url`.

        `environment` is added to that in which it runs, and not to that in which it is built.
        """
        with self.built() as start:
            return start(url, NOTES, environment=environment).splitlines()

    @contextlib.contextmanager
    def built(self, *overlays: Path, name: str = "clients") -> Iterator[Callable[..., str]]:
        """Build it with the files of `overlays` over its own, and lend what runs it and returns what it printed."""
        folder = BUILD / "examples" / name / self.name
        with _alone(f"{name}-{self.name}"):
            for source in (EXAMPLES / self.name, *overlays):
                ignored = shutil.ignore_patterns("node_modules", "build")
                shutil.copytree(source, folder, dirs_exist_ok=True, ignore=ignored)
            self.build(folder)

            def start(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
                added = {**self.environment, **(environment or {})}
                return run(*self.command, *words, cwd=folder, environment=added)

            yield start


def _openapi(folder: Path) -> None:
    """Install, make the types of today's document, and compile."""
    _npm(folder)
    run(
        "node",
        "node_modules/openapi-typescript/bin/cli.js",
        GEN / "openapi" / "all.json",
        "-o",
        "shoal.d.ts",
        cwd=folder,
    )
    run("node", "node_modules/typescript/bin/tsc", cwd=folder)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _protos() -> list[str]:
    """Return the files to generate from: ours; google's come with each language."""
    return sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto" / "shoal").rglob("*.proto"))


def _protoc(folder: Path, language: str, plugin: str, *files: str) -> None:
    """Generate messages and stubs of a language into `gen`, from the contract without its validation rules."""
    out = folder / "gen"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    grpc = [f"--plugin=protoc-gen-grpc={shutil.which(plugin)}", f"--grpc_out={out}"]
    contract = f"--descriptor_set_in={_PLAIN}"
    run("protoc", contract, f"--{language}_out={out}", *grpc, *(files or _protos()), cwd=folder)


def _ruby(folder: Path) -> None:
    """Generate; Ruby needs no compiler."""
    _protoc(folder, "ruby", "grpc_ruby_plugin")


_JARS = tuple(
    f"/usr/share/java/{name}.jar"
    for name in (
        *("grpc-api", "grpc-context", "grpc-core", "grpc-netty", "grpc-protobuf", "grpc-protobuf-lite", "grpc-stub"),
        *("netty-all", "netty-buffer", "netty-codec", "netty-codec-http", "netty-codec-http2", "netty-codec-socks"),
        *("netty-common", "netty-handler", "netty-handler-proxy", "netty-resolver", "netty-tcnative"),
        *("netty-transport", "netty-transport-native-unix-common", "perfmark-api", "geronimo-annotation-1.3-spec"),
        *("gson", "guava", "protobuf"),
    )
)
# google's own messages that neither protobuf's jar nor Debian's of grpc hold
_GOOGLE = (
    *("google/api/annotations.proto", "google/api/http.proto", "google/api/httpbody.proto"),
    *("google/rpc/error_details.proto", "google/rpc/status.proto"),
)


def _java(folder: Path) -> None:
    """Generate, and compile what the scenario reaches of it, unless that is done.

    Debian's netty has no ALPN but that of its native TLS, and looks for the library of that under a name of its own.
    """
    made_of = hashlib.sha256((folder / "Scenario.java").read_bytes() + _PLAIN.read_bytes()).hexdigest()
    done = folder / "classes" / "made_of"
    if done.exists() and done.read_text(encoding="ascii") == made_of:
        return
    (library,) = Path("/usr/lib").glob("*/jni/libnetty-tcnative.so")
    shutil.copyfile(library, folder / "libnetty_tcnative.so")
    _protoc(folder, "java", "grpc_java_plugin", *_protos(), *_GOOGLE)
    (folder / "classes").mkdir(exist_ok=True)
    options = ("-nowarn", "-proc:none", "-cp", ":".join(_JARS), "-d", "classes", "-sourcepath", "gen")
    run("javac", *options, "Scenario.java", cwd=folder, seconds=_LONG_SECONDS)
    done.write_text(made_of, encoding="ascii")


# Debian's grpc-go depends on a protobuf of before 2020 and excludes these packages; their sources do well together.
_GO_PACKAGES = (
    *("protoc-gen-go-1-5", "protoc-gen-go-grpc"),
    *("golang-github-golang-protobuf-1-5-dev", "golang-google-protobuf-dev"),
)
_GO_SOURCES = "/usr/share/gocode"


def _go_packages() -> Path:
    """Fetch what Debian has of the present protobuf for Go, and unpack it below build/ beside the older one."""
    place, done = BUILD / "go-packages", BUILD / "go-packages" / "unpacked"
    if not done.exists():
        place.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", *_GO_PACKAGES, cwd=place)
        for package in place.glob("*.deb"):
            run("dpkg", "-x", package, place, cwd=place)
        done.touch()
    return place / "usr"


def _go(folder: Path) -> None:
    """Generate into a Go path of this build's own, and compile over Debian's sources."""
    packages, sources = _go_packages(), folder / "path" / "src"
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir(parents=True)
    plugins = [f"--plugin=protoc-gen-{name}={packages}/bin/protoc-gen-{name}" for name in ("go", "go-grpc")]
    contract = f"--descriptor_set_in={_PLAIN}"
    run("protoc", contract, *plugins, f"--go_out={sources}", f"--go-grpc_out={sources}", *_protos(), cwd=folder)
    paths = f"{sources.parent}:{packages}/share/gocode:{_GO_SOURCES}"
    environment = {"GO111MODULE": "off", "GOPATH": paths}
    run("go", "build", "-o", "scenario", ".", cwd=folder, environment=environment, seconds=_LONG_SECONDS)


def _cpp(folder: Path) -> None:
    """Generate and compile; what did not change since the last time is not compiled again."""
    run("cmake", "-B", "build", f"-DSHOAL_CONTRACT={GEN / 'clients'}", cwd=folder)
    run("cmake", "--build", "build", "--parallel", "2", cwd=folder, seconds=_LONG_SECONDS)


_PROTOC = "protobuf-compiler protobuf-compiler-grpc"
_NODE = "node 22 or newer with npm: https://nodejs.org, or apt-get install nodejs npm where that is new enough"
CLIENTS = (
    Client("python", ("scenario.py",), (sys.executable, "scenario.py"), is_quick=True),
    Client(
        "python-dataclasses",
        ("scenario.py",),
        (sys.executable, "scenario.py"),
        environment={"PYTHONPATH": str(GEN / "betterproto2")},
        is_quick=True,
    ),
    Client(
        "javascript",
        ("scenario.js", "shoal.js"),
        ("node", "scenario.js"),
        programs=("node", "npm"),
        install=_NODE,
        build=_npm,
        environment={"SHOAL_CONTRACT": str(GEN / "clients")},
        is_quick=True,
    ),
    Client(
        "typescript",
        ("scenario.ts", "retries.ts"),
        ("node", "build/scenario.js"),
        programs=("node", "npm"),
        install=_NODE,
        build=_typescript,
        is_quick=True,
    ),
    Client(
        "openapi",
        ("scenario.ts",),
        ("node", "build/scenario.js"),
        programs=("node", "npm"),
        install=_NODE,
        build=_openapi,
        expected_file="expected_json.txt",
    ),
    Client(
        "go",
        ("scenario.go", "shoal.go"),
        ("./scenario",),
        programs=("go", "protoc", "apt-get", "dpkg"),
        files=(f"{_GO_SOURCES}/src/google.golang.org/grpc",),
        install="apt-get install golang-go golang-google-grpc-dev protobuf-compiler",
        build=_go,
        environment={"SHOAL_CONTRACT": str(GEN / "clients"), "GRPC_GO_RETRY": "on"},
    ),
    Client(
        "cpp",
        ("scenario.cc", "shoal.h"),
        ("build/scenario",),
        programs=("g++", "cmake", "pkg-config", "protoc", "grpc_cpp_plugin"),
        files=("/usr/include/grpcpp/grpcpp.h", "/usr/include/google/protobuf/message.h", "/usr/include/openssl/evp.h"),
        install="apt-get install g++ cmake pkg-config libgrpc++-dev libprotobuf-dev libssl-dev " + _PROTOC,
        build=_cpp,
        environment={"SHOAL_CONTRACT": str(GEN / "clients")},
    ),
    Client(
        "ruby",
        ("scenario.rb",),
        ("ruby", "-I", "gen", "scenario.rb"),
        programs=("ruby", "protoc", "grpc_ruby_plugin"),
        files=("/usr/share/doc/ruby-grpc", "/usr/share/doc/ruby-googleapis-common-protos-types"),
        install="apt-get install ruby ruby-grpc ruby-googleapis-common-protos-types " + _PROTOC,
        build=_ruby,
        environment={"SHOAL_CONTRACT": str(GEN / "clients")},
    ),
    Client(
        "java",
        ("Scenario.java",),
        ("java", "-Djava.library.path=.", "-cp", ":".join(("classes", *_JARS)), "Scenario"),
        programs=("java", "javac", "protoc", "grpc_java_plugin"),
        files=_JARS,
        install="apt-get install openjdk-17-jdk-headless libgrpc-java protobuf-compiler-grpc-java-plugin "
        "libprotobuf-java libnetty-java libnetty-tcnative-java libperfmark-java "
        "libgeronimo-annotation-1.3-spec-java libgoogle-gson-java protobuf-compiler",
        build=_java,
        environment={"SHOAL_CONTRACT": str(GEN / "clients")},
    ),
)


def _of(step: str, lines: list[str]) -> list[str]:
    return [line for line in lines if line.split()[:1] == [step]]


@contextlib.contextmanager
def _own_shoal() -> Iterator[str]:
    sys.path[:0] = [str(ROOT / "tests")]
    from support.stack import running_stack

    with tempfile.TemporaryDirectory(prefix="shoal-clients-") as folder, running_stack(Path(folder, "data")) as stack:
        yield stack.url


def _say_missing(client: Client) -> None:
    few, more = client.missing[:3], len(client.missing) - 3
    print(f"{client.name:<20} left out, needs {', '.join(few)}{f' and {more} more' if more > 0 else ''}")
    print(f"{'':<20} {client.install}")


def _steps_passed(client: Client, url: str) -> int:
    """Run a client, say how far it came, and return how many steps passed."""
    try:
        printed = client.run(url)
    except (ClientError, subprocess.TimeoutExpired) as failed:
        print(f"{client.name:<20} {failed}", flush=True)
        return 0
    passed = client.steps_passed(printed)
    print(f"{client.name:<20} {passed} of {_STEPS} steps, {client.lines} lines of code", flush=True)
    return passed


def _say_cost_of_import() -> None:
    code = (
        "import shoal.client, resource; used = resource.getrusage(resource.RUSAGE_SELF);"
        "print(f'{used.ru_utime + used.ru_stime:.2f} s of processor time and {used.ru_maxrss / 1024:.0f} MB')"
    )
    print(
        f"{'shoal.client':<20} imported in {run(sys.executable, '-c', code, cwd=ROOT).strip()}, Python's own among them"
    )


def main() -> int:
    """Run the clients that are named, or all; return 1 when one that could run did not print the expected lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *(client.name for client in CLIENTS)])
    parser.add_argument("--url", help="a Shoal that runs; unset: one is started and stopped")
    arguments = parser.parse_args()
    chosen = [client for client in CLIENTS if not arguments.names or client.name in arguments.names]
    able = [client for client in chosen if not client.missing]
    for client in chosen:
        if client not in able:
            _say_missing(client)
    if not arguments.url:
        print("starting a Shoal; what is built the first time, C++ above all, takes minutes", flush=True)
    with contextlib.nullcontext(arguments.url) if arguments.url else _own_shoal() as url:
        passed = [_steps_passed(client, url) for client in able]
    _say_cost_of_import()
    print(f"{sum(steps == _STEPS for steps in passed)} of {len(chosen)} clients passed all of the {_STEPS} steps")
    return 0 if all(steps == _STEPS for steps in passed) else 1


if __name__ == "__main__":
    sys.exit(main())

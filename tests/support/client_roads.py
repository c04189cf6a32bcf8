"""Two roads from a client to a Shoal of this machine: a proxy that notes where the client wants to go, and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

NAME = "shoal.example"
"""What the certificate is for, beside 127.0.0.1; no name server knows it."""


@dataclass
class Roads:
    """Where both begin, and the addresses that clients asked the proxy for."""

    folder: Path
    proxy_port: int = 0
    secure_port: int = 0
    asked_for: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return what makes clients of any language take the proxy and trust the certificate."""
        proxy, authority = f"http://127.0.0.1:{self.proxy_port}", str(self.folder / "authority.pem")
        return {
            **dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy"), proxy),
            "GRPC_PROXY_EXP": f"127.0.0.1:{self.proxy_port}",
            "no_proxy": "127.0.0.1",
            **dict.fromkeys(("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"), authority),
            "JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={self.folder / 'authority.p12'} "
            "-Djavax.net.ssl.trustStorePassword=public -Djavax.net.ssl.trustStoreType=PKCS12",
        }


class _Serving:
    """Both listeners, on an event loop in a thread of its own."""

    def __init__(self, port: int, found: Roads) -> None:
        self._port, self._found = port, found
        self._ending, self._is_open = asyncio.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def begin(self) -> None:
        self._thread.start()
        assert self._is_open.wait(30)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        context = _certified(self._found.folder)
        secure = await asyncio.start_server(self._hand_on, "127.0.0.1", 0, ssl=context)
        proxy = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._found.secure_port, self._found.proxy_port = (one.sockets[0].getsockname()[1] for one in (secure, proxy))
        self._is_open.set()
        await self._ending.wait()
        secure.close()
        proxy.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer `CONNECT host:port`: port 443 leads to the listener of TLS, every other one to the server."""
        head = await reader.readuntil(b"\r\n\r\n")
        address = head.split()[1].decode()
        self._found.asked_for.append(address)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _joined(reader, writer, self._found.secure_port if address.endswith(":443") else self._port)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _joined(reader, writer, self._port)


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Hand everything on in both directions until one end closes."""
    their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_copied(reader, their_writer), _copied(their_reader, writer))


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def _certified(folder: Path) -> ssl.SSLContext:
    """Make a key and a certificate that vouches for itself, and write the latter in the forms that clients read."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(IPv4Address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = signed.public_bytes(serialization.Encoding.PEM), serialization.BestAvailableEncryption(b"public")
    java = pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(signed, b"shoal")], secret)
    (folder / "authority.p12").write_bytes(java)
    (folder / "authority.pem").write_bytes(pem)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(plain + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@contextlib.contextmanager
def roads(folder: Path, port: int) -> Iterator[Roads]:
    """Lend both roads to a server at `port` of this machine; the files that they need are made in `folder`."""
    found = Roads(folder)
    serving = _Serving(port, found)
    serving.begin()
    try:
        yield found
    finally:
        serving.end()

"""Posts over TLS: the name of the URL is what the certificate must be for, whatever address was connected to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shoald.adapters.outward_addresses import CheckedAddresses
from shoald.adapters.webhook_sending.posting import CheckedPoster
from shoald.application.ports.messengers import Post
from shoald.domain.network_addresses import networks_of

pytestmark = pytest.mark.integration

_NAME = "receiver.example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own for the receiver's name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "receiver.pem"
    file.write_bytes(plain + signed.public_bytes(serialization.Encoding.PEM))
    return file


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), _Taking) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _poster(trusted: ssl.SSLContext | None = None) -> CheckedPoster:
    addresses = CheckedAddresses(private=networks_of(["127.0.0.0/8"]), look_up=lambda *_: ["127.0.0.1"])
    return CheckedPoster(addresses, trusted=trusted)


def _post(name: str, port: int, seconds: float = 5.0) -> Post:
    return Post(url=f"https://{name}:{port}/hook", headers={}, body=b"{}", timeout_seconds=seconds)


def test_a_trusted_certificate_for_the_name_is_enough(port: int, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    reception = _poster(trusted).send(_post(_NAME, port))
    assert (reception.status_code, reception.error) == (204, None)


def test_a_certificate_for_another_name_is_refused(port: int, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    error = _poster(trusted).send(_post("other.example.org", port)).error
    assert error is not None
    assert error.startswith("the certificate is not trusted")


def test_a_certificate_that_nobody_vouches_for_is_refused(port: int) -> None:
    assert "not trusted" in (_poster().send(_post(_NAME, port)).error or "")


def test_a_receiver_that_does_not_shake_hands_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.ExitStack() as kept:
        threading.Thread(target=lambda: kept.enter_context(silent.accept()[0]), daemon=True).start()
        began = time.monotonic()
        assert not _poster().send(_post(_NAME, silent.getsockname()[1], 0.2)).was_taken
        assert time.monotonic() - began < 5

"""A certificate of the HTTP service that is renewed is shown at the next handshake, without a restart."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from adapter.errors import ConfigError
from adapter.web.access import Access
from adapter.web.app import create_app
from adapter.web.server import HttpServer, Tls, listen


def put(certificate: trustme.LeafCert, folder: Path) -> Tls:
    """Put a certificate and its key in place, each by a rename."""
    found = Tls(str(folder / "cert.pem"), str(folder / "key.pem"))
    chain = b"".join(one.bytes() for one in certificate.cert_chain_pems)
    for name, content in (("cert.pem", chain), ("key.pem", certificate.private_key_pem.bytes())):
        (folder / "new").write_bytes(content)
        (folder / "new").rename(folder / name)
    return found


def print_of(certificate: trustme.LeafCert) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    return hashlib.sha256(der).hexdigest()


def shown(address: tuple[str, int], name: str | None = "localhost") -> str:
    """Shake hands, ask once, and give the fingerprint of what was shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        secure.sendall(b"GET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert secure.recv(12) == b"HTTP/1.1 404"
        return hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()


@pytest.fixture
def certificates() -> list[trustme.LeafCert]:
    authority = trustme.CA()
    return [authority.issue_cert("localhost") for _ in range(2)]


@pytest.fixture
def served(certificates: list[trustme.LeafCert], tmp_path: Path) -> Iterator[HttpServer]:
    app = create_app((), Access({}, is_loopback=True))
    server = HttpServer(app, listen("127.0.0.1", 0), put(certificates[0], tmp_path))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("name", ["localhost", None])
def test_a_renewed_certificate_is_shown_at_the_next_handshake(
    name: str | None,
    served: HttpServer,
    certificates: list[trustme.LeafCert],
    tmp_path: Path,
) -> None:
    assert shown(served.address, name) == print_of(certificates[0])
    put(certificates[1], tmp_path)
    assert shown(served.address, name) == print_of(certificates[1])
    assert served.refusal == ""


@pytest.mark.parametrize("spoilt", ["cert.pem", "key.pem"])
@pytest.mark.parametrize("content", [b"", b"no PEM", None])
def test_while_a_renewed_one_cannot_be_used_the_earlier_one_is_shown_and_it_is_said(
    spoilt: str,
    content: bytes | None,
    served: HttpServer,
    certificates: list[trustme.LeafCert],
    tmp_path: Path,
) -> None:
    assert shown(served.address) == print_of(certificates[0])
    put(certificates[1], tmp_path)
    if content is None:
        (tmp_path / spoilt).unlink()
    else:
        (tmp_path / spoilt).write_bytes(content)
    assert shown(served.address) == print_of(certificates[0])
    assert spoilt in served.refusal
    put(certificates[1], tmp_path)
    assert shown(served.address) == print_of(certificates[1])
    assert served.refusal == ""


def test_a_certificate_that_cannot_be_used_is_no_start(
    certificates: list[trustme.LeafCert], tmp_path: Path
) -> None:
    tls = put(certificates[0], tmp_path)
    (tmp_path / "key.pem").write_bytes(certificates[1].private_key_pem.bytes())
    listening = listen("127.0.0.1", 0)
    with listening, pytest.raises(ConfigError, match="belong together"):
        HttpServer(create_app((), Access({}, is_loopback=True)), listening, tls)

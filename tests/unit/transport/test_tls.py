"""D16, S6: a server that cannot be trusted is refused with what to do, and never asked without TLS."""

from __future__ import annotations

import socket
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from adapter.errors import ConfigError, TemporaryServerError
from adapter.fhir.strict_json import read_json
from adapter.transport.server_config import ServerConfig
from adapter.transport.smart import SmartClient, TokenEndpoint
from adapter.transport.smart.keys import SigningKey
from tests.fakes.clock import FakeClock
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.tls_server import Served, serving_tls

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


def context_of(certificate: trustme.LeafCert, version: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion[version]
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def asks_for_ours(context: ssl.SSLContext, authority: trustme.CA) -> ssl.SSLContext:
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def pair(certificate: trustme.LeafCert, folder: Path, mode: int = 0o600) -> dict[str, str]:
    cert, key = folder / "client.pem", folder / "client.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    key.chmod(mode)
    return {"client_cert_file": str(cert), "client_key_file": str(key)}


def refused(make_server: MakeServer, served: Served, says: str, **config: str) -> None:
    with pytest.raises(TemporaryServerError, match=says) as raised:
        make_server(served.base, attempts=1, **config).read("Patient/a")
    assert "localhost gave no usable answer" in str(raised.value)
    assert (served.requests, served.plain) == ([], [])


def test_a_server_of_a_named_authority_is_asked(
    authority: trustme.CA, trusted: str, make_server: MakeServer
) -> None:
    with serving_tls(context_of(authority.issue_cert("localhost"))) as served:
        assert make_server(served.base, ca_file=trusted).read("Patient/a") is not None
        assert len(served.requests) == 1


def test_an_expired_certificate_is_refused(
    authority: trustme.CA, trusted: str, make_server: MakeServer
) -> None:
    expired = authority.issue_cert(
        "localhost", not_before=LONG_AGO, not_after=LONG_AGO + timedelta(days=90)
    )
    with serving_tls(context_of(expired)) as served:
        refused(make_server, served, "has expired; the server has to renew it", ca_file=trusted)


def test_a_certificate_of_tomorrow_is_refused(
    authority: trustme.CA, trusted: str, make_server: MakeServer
) -> None:
    early = authority.issue_cert("localhost", not_before=datetime.now(UTC) + timedelta(days=1))
    with serving_tls(context_of(early)) as served:
        refused(make_server, served, "not valid yet; check this machine's clock", ca_file=trusted)


def test_a_certificate_of_another_host_is_refused(
    authority: trustme.CA, trusted: str, make_server: MakeServer
) -> None:
    with serving_tls(context_of(authority.issue_cert("fhir.example.org"))) as served:
        refused(make_server, served, "for another host; check the host", ca_file=trusted)


def test_an_authority_that_nobody_named_is_refused(trusted: str, make_server: MakeServer) -> None:
    with serving_tls(context_of(trustme.CA().issue_cert("localhost"))) as served:
        refused(make_server, served, "name it in ca_file", ca_file=trusted)
        refused(make_server, served, "name it in ca_file")


def test_a_certificate_signed_by_itself_is_refused(
    tmp_path: Path, trusted: str, make_server: MakeServer
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_signed_by_itself(tmp_path))
    with serving_tls(context) as served:
        refused(make_server, served, "signed by itself; name it in ca_file", ca_file=trusted)


def _signed_by_itself(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "self.pem", folder / "self.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_an_old_version_of_tls_is_refused_by_us(
    version: str, authority: trustme.CA, trusted: str, make_server: MakeServer
) -> None:
    with serving_tls(context_of(authority.issue_cert("localhost"), version)) as served:
        _an_old_client_gets_in(served, trusted, version)
        served.requests.clear()
        refused(make_server, served, "no TLS 1.2 or newer", ca_file=trusted)


def _an_old_client_gets_in(served: Served, trusted: str, version: str) -> None:
    """The server does work for clients that take its version, so the refusal is ours."""
    context = ssl.create_default_context(cafile=trusted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", served.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert secure.recv(12) == b"HTTP/1.1 200"
        assert secure.version() == version.replace("_", ".")


def test_tls_1_2_is_taken(authority: trustme.CA, trusted: str, make_server: MakeServer) -> None:
    context = context_of(authority.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving_tls(context) as served:
        assert make_server(served.base, ca_file=trusted).read("Patient/a") is not None


def test_what_speaks_no_tls_is_refused(make_server: MakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}/fhir"
        with pytest.raises(TemporaryServerError, match="speaks no TLS; check the port"):
            make_server(url, attempts=1).read("Patient/a")
        thread.join()


def test_our_certificate_is_shown_where_it_is_asked_for(
    authority: trustme.CA, trusted: str, make_server: MakeServer, tmp_path: Path
) -> None:
    context = asks_for_ours(context_of(authority.issue_cert("localhost")), authority)
    ours = pair(authority.issue_cert("adapter.example.org"), tmp_path)
    with serving_tls(context) as served:
        assert make_server(served.base, ca_file=trusted, **ours).read("Patient/a") is not None
        assert len(served.requests) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("given", ["none", "of another authority"])
def test_without_the_certificate_that_is_asked_for_nothing_is_got(
    given: str,
    version: ssl.TLSVersion,
    authority: trustme.CA,
    trusted: str,
    make_server: MakeServer,
    tmp_path: Path,
) -> None:
    context = asks_for_ours(context_of(authority.issue_cert("localhost")), authority)
    context.maximum_version = version
    wrong = pair(trustme.CA().issue_cert("adapter.example.org"), tmp_path)
    with serving_tls(context) as served:
        config = {"ca_file": trusted} | ({} if given == "none" else wrong)
        refused(make_server, served, "wants a client certificate", **config)


def test_the_token_endpoint_gets_our_certificate_too(
    authority: trustme.CA, trusted: str, tmp_path: Path
) -> None:
    context = asks_for_ours(context_of(authority.issue_cert("localhost")), authority)
    ours = pair(authority.issue_cert("adapter.example.org"), tmp_path)
    with serving_tls(context) as served:
        for config in ({}, ours):
            endpoint = TokenEndpoint(
                ServerConfig(served.base, ca_file=trusted, **config),
                SmartClient("her2", (), f"https://localhost:{served.port}/token"),
                clock=FakeClock(),
                read_json=read_json,
            )
            says = "gave no token" if config else "wants a client certificate"
            with pytest.raises(TemporaryServerError, match=says):
                endpoint.ask([_signing_key()])
        assert served.requests == [b"POST /token HTTP/1.1"]


def _signing_key() -> SigningKey:
    from joserfc.jwk import ECKey

    return SigningKey("one", "ES384", ECKey.generate_key("P-384"))


def test_a_key_that_others_can_read_or_that_has_no_certificate_is_refused(
    authority: trustme.CA, tmp_path: Path
) -> None:
    ours = pair(authority.issue_cert("adapter.example.org"), tmp_path, mode=0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        ServerConfig("https://fhir.example.org", **ours)
    with pytest.raises(ConfigError, match="without client_cert_file"):
        ServerConfig("https://fhir.example.org", client_key_file=ours["client_key_file"])
    with pytest.raises(ConfigError, match="is not a file"):
        ServerConfig("https://fhir.example.org", client_cert_file=str(tmp_path / "none"))


def test_a_certificate_and_key_that_do_not_belong_together_are_told(
    authority: trustme.CA, trusted: str, make_server: MakeServer, tmp_path: Path
) -> None:
    ours = pair(authority.issue_cert("adapter.example.org"), tmp_path)
    other = authority.issue_cert("adapter.example.org").private_key_pem.bytes()
    Path(ours["client_key_file"]).write_bytes(other)
    with serving_tls(context_of(authority.issue_cert("localhost"))) as served:
        refused_text = "client_cert_file and client_key_file are no PEM pair"
        with pytest.raises(TemporaryServerError, match=refused_text):
            make_server(served.base, attempts=1, ca_file=trusted, **ours).read("Patient/a")
        assert (served.requests, served.plain) == ([], [])


def test_a_file_that_is_gone_while_it_runs_is_a_failure_and_no_crash(
    authority: trustme.CA, trusted: str, make_server: MakeServer, tmp_path: Path
) -> None:
    ours = pair(authority.issue_cert("adapter.example.org"), tmp_path)
    server = make_server("https://localhost:1/fhir", attempts=1, ca_file=trusted, **ours)
    Path(ours["client_cert_file"]).unlink()
    with pytest.raises(TemporaryServerError, match="FileNotFoundError"):
        server.read("Patient/a")


def renewed(file: str | Path, content: bytes) -> None:
    """Put other content in place by a rename, as whoever renews a certificate does."""
    beside = Path(f"{file}.new")
    beside.write_bytes(content)
    beside.chmod(0o600)
    beside.rename(file)


def test_a_renewed_authority_is_taken_up_at_the_next_connection(
    make_server: MakeServer, tmp_path: Path
) -> None:
    earlier, later = trustme.CA(), trustme.CA()
    file = tmp_path / "ca.pem"
    earlier.cert_pem.write_to_path(str(file))
    with serving_tls(context_of(later.issue_cert("localhost"))) as served:
        server = make_server(served.base, attempts=1, ca_file=str(file))
        with pytest.raises(TemporaryServerError, match="name it in ca_file"):
            server.read("Patient/a")
        renewed(file, later.cert_pem.bytes())
        assert server.read("Patient/a") is not None


def test_what_an_authority_is_replaced_by_is_the_only_one_believed(
    make_server: MakeServer, tmp_path: Path
) -> None:
    earlier, later = trustme.CA(), trustme.CA()
    file = tmp_path / "ca.pem"
    earlier.cert_pem.write_to_path(str(file))
    with serving_tls(context_of(earlier.issue_cert("localhost"))) as served:
        server = make_server(served.base, attempts=1, ca_file=str(file))
        assert server.read("Patient/a") is not None
        renewed(file, later.cert_pem.bytes())
        with pytest.raises(TemporaryServerError, match="name it in ca_file"):
            server.read("Patient/a")


def test_a_renewed_certificate_of_ours_is_shown_at_the_next_connection(
    authority: trustme.CA, trusted: str, make_server: MakeServer, tmp_path: Path
) -> None:
    context = asks_for_ours(context_of(authority.issue_cert("localhost")), authority)
    ours = pair(trustme.CA().issue_cert("adapter.example.org"), tmp_path)
    with serving_tls(context) as served:
        server = make_server(served.base, attempts=1, ca_file=trusted, **ours)
        with pytest.raises(TemporaryServerError, match="wants a client certificate"):
            server.read("Patient/a")
        pair(authority.issue_cert("adapter.example.org"), tmp_path)
        assert server.read("Patient/a") is not None


SPOILT = {
    "an authority that is none": ("ca_file", b"no certificate"),
    "an empty authority": ("ca_file", b""),
    "a certificate without its key": ("client_cert_file", None),
    "a certificate that is none": ("client_cert_file", b"no certificate"),
    "half of a key": ("client_key_file", b"-----BEGIN PRIVATE KEY-----\nMIIE"),
}


@pytest.mark.parametrize(("name", "content"), SPOILT.values(), ids=SPOILT)
def test_spoilt_files_change_nothing_and_are_told(
    name: str,
    content: bytes | None,
    authority: trustme.CA,
    make_server: MakeServer,
    tmp_path: Path,
) -> None:
    context = asks_for_ours(context_of(authority.issue_cert("localhost")), authority)
    given = pair(authority.issue_cert("adapter.example.org"), tmp_path)
    given["ca_file"] = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(given["ca_file"])
    with serving_tls(context) as served, capture_logs() as told:
        server = make_server(served.base, attempts=1, **given)
        assert server.read("Patient/a") is not None
        other = authority.issue_cert("adapter.example.org").cert_chain_pems[0].bytes()
        renewed(given[name], other if content is None else content)
        assert server.read("Patient/a") is not None
        assert server.read("Patient/a") is not None
    assert [one["event"] for one in told].count("files_not_renewed") == 1


def test_a_renewed_key_that_others_can_read_is_not_taken_up(
    authority: trustme.CA, trusted: str, make_server: MakeServer, tmp_path: Path
) -> None:
    context = asks_for_ours(context_of(authority.issue_cert("localhost")), authority)
    ours = pair(authority.issue_cert("adapter.example.org"), tmp_path)
    with serving_tls(context) as served:
        server = make_server(served.base, attempts=1, ca_file=trusted, **ours)
        assert server.read("Patient/a") is not None
        pair(trustme.CA().issue_cert("adapter.example.org"), tmp_path, mode=0o644)
        assert server.read("Patient/a") is not None


def test_with_files_of_ours_no_built_in_authority_is_believed(
    trusted: str, make_server: MakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built_in, file = trustme.CA(), tmp_path / "built-in.pem"
    built_in.cert_pem.write_to_path(str(file))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(file))
    monkeypatch.setattr("adapter.transport.tls.DEFAULT_CA_BUNDLE_PATH", str(file))
    with serving_tls(context_of(built_in.issue_cert("localhost"))) as served:
        assert make_server(served.base).read("Patient/a") is not None
        served.requests.clear()
        refused(make_server, served, "name it in ca_file", ca_file=trusted)

"""What the transport knows of one FHIR server: where it is, and every bound it is held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapter.errors import ConfigError
from adapter.transport.origin import base_url_problem
from adapter.transport.tls import rights_problem

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class ServerConfig:
    """One FHIR server and its bounds; refuses wrong values, all of them at once.

    Args:
        base_url: the FHIR base, e.g. "https://fhir.example.org/r4"; a trailing slash is ignored.
        ca_file: PEM file of the authorities to trust instead of the built-in ones, or None.
        client_cert_file: PEM file with our certificate, where the server asks for one, or None.
        client_key_file: PEM file with its private key; None when it is in the same file.
        connect_timeout_seconds: for the TCP and TLS handshake.
        read_timeout_seconds: for each silence of the server while it answers.
        request_seconds: wall clock for one request, from connecting to its last byte, against a server that drips.
        page_size: `_count` of a search that names none.
        max_pages: a search longer than this is an error, never a silent end.
        attempts: how often one request is tried in all.
        total_seconds: no further attempt begins after this time.
        retry_after_cap_seconds: the longest Retry-After that is believed.
        max_body_bytes: cap of an answer, on the wire and unpacked, each.
        rebase_links: send next links that name another address to the configured base instead of
            refusing them; for a server behind a proxy that does not know its public address.
        post_searches: send a search that names patients in a body, so that no access log has their ids.

    Raises: ConfigError.

    """

    base_url: str
    ca_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0
    request_seconds: float = 300.0
    page_size: int = 500
    max_pages: int = 10_000
    attempts: int = 5
    total_seconds: float = 300.0
    retry_after_cap_seconds: float = 900.0
    max_body_bytes: int = 64 * MEBIBYTE
    rebase_links: bool = False
    post_searches: bool = False

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be more than 0"
            for name in (
                "connect_timeout_seconds",
                "read_timeout_seconds",
                "request_seconds",
                "page_size",
                "max_pages",
                "attempts",
                "total_seconds",
                "retry_after_cap_seconds",
                "max_body_bytes",
            )
            if not getattr(self, name) > 0
        ]
        if problem := base_url_problem(self.base_url):
            problems.append(f"url {problem}")
        problems += self._problems_of_files()
        if problems:
            raise ConfigError(problems)

    def _problems_of_files(self) -> Iterator[str]:
        for name in ("ca_file", "client_cert_file", "client_key_file"):
            file = getattr(self, name)
            if file is not None and not Path(file).is_file():
                yield f"{name} {file} is not a file"
        key = self.client_key_file or self.client_cert_file
        if self.client_key_file is not None and self.client_cert_file is None:
            yield "client_key_file is given without client_cert_file"
        elif key is not None and Path(key).is_file() and (problem := rights_problem(Path(key))):
            yield f"the file of the client's private key, {key}, {problem}"

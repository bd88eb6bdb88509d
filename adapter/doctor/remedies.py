"""What an administrator could change, ready to paste; only where a finding asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapter.doctor.findings import Examination, Topic
from adapter.doctor.judge import Advice


@dataclass(frozen=True)
class Remedy:
    """One thing to change: where it goes and why, and the text itself."""

    where: str
    text: str


_FORWARDED: Final = """\
proxy_set_header X-Forwarded-Host  $host;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Port  $server_port;"""
_NO_CACHE: Final = """\
proxy_cache off;"""


def remedies(found: Examination, advice: Advice, page_size: int) -> tuple[Remedy, ...]:
    """List what would help, in the order in which it matters."""
    return tuple(_scopes(advice)) + tuple(_hapi(found, page_size)) + tuple(_proxy(found))


def _scopes(advice: Advice) -> Iterator[Remedy]:
    if advice.missing:
        yield Remedy("Scopes to grant this client (SMART App Launch 2.0)", " ".join(advice.scopes))


def _hapi(found: Examination, page_size: int) -> Iterator[Remedy]:
    """Write settings of the HAPI FHIR JPA server starter's application.yaml."""
    if not found.software.upper().startswith("HAPI"):
        return
    wanted = []
    if found.was_measured(Topic.CLIENT_IDS) and not found.works(Topic.CLIENT_IDS):
        wanted.append("client_id_strategy: ALPHANUMERIC")
    if found.was_measured(Topic.IF_MATCH) and not found.works(Topic.IF_MATCH):
        wanted.append("etag_support_enabled: true")
    if found.fails(Topic.FOREIGN_REFERENCES):
        wanted.append("allow_external_references: true")
    most = found.value(Topic.PAGE_SIZE)
    if most is not None and int(most) < page_size:
        wanted.append(f"max_page_size: {page_size}")
    if wanted:
        lines = "\n".join(f"    {line}" for line in wanted)
        yield Remedy("HAPI FHIR JPA server starter, application.yaml", f"hapi:\n  fhir:\n{lines}")


def _proxy(found: Examination) -> Iterator[Remedy]:
    if found.foreign_links:
        where = "nginx before the server: its links name another address (or set source.rebase_links = true here)"
        yield Remedy(where, _FORWARDED)
    if found.was_measured(Topic.SEARCH_CACHE) and not found.works(Topic.SEARCH_CACHE):
        yield Remedy("nginx before the server: no cache for the FHIR base", _NO_CACHE)

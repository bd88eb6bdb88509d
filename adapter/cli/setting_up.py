"""`config` shows and checks the settings."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.exit_codes import DONE
from adapter.cli.printing import Block, number_of, print_blocks, say
from adapter.cli.shared import Shared
from adapter.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapter.bootstrap import Adapter
    from adapter.settings import Settings

CheckServers = Annotated[
    bool,
    typer.Option("--check", help="Ask the servers and open the state store; nothing is written."),
]


def config(shared: Shared, check: CheckServers = False) -> int:
    """Show every setting with where it came from; secrets are masked.

    With --check the mappings are loaded and the servers are asked what they can do. What the doctor measured is
    shown from a state file; from a database only with --check.
    """
    from adapter.bootstrap import overruled, with_site
    from adapter.measurements import with_kept_measurements
    from adapter.settings import describe

    settings = with_site(shared.settings(quiet=True))
    try:
        settings = with_kept_measurements(settings, connect=check)
    except StoreError as error:
        say(f"What the doctor measured is not shown: {error}")
    rows = [
        {"name": row.name, "value": row.value, "origin": row.origin, "default": row.default}
        for row in describe(settings)
    ]
    columns = {"name": "Setting", "value": "Value", "origin": "From", "default": "Default"}
    print_blocks(shared.form, [Block("Settings", columns, rows)])
    if not check:
        say(*overruled(settings))
    else:
        for sentence in _checked(settings):
            say(sentence)
    return DONE


def _checked(settings: Settings) -> Iterator[str]:
    """Say what the parts are and what a server lacks; raises what a start would raise."""
    from adapter.bootstrap import open_adapter
    from adapter.cli.discovery_text import discovery_sentence
    from adapter.cli.granted_text import granted_sentences
    from adapter.cli.site_text import overlay_sentences
    from adapter.sync.reading.proving import Proving
    from adapter.sync.reading.searches import Searches
    from adapter.sync.reading.sweep import results_of_everybody

    settings.source.base_url  # noqa: B018 - raises a sentence of its own before anything is opened
    with open_adapter(settings, Event()) as adapter:
        parts = adapter.parts
        yield f"Mappings {parts.catalogue.version}"
        yield from overlay_sentences(adapter)
        yield f"State store {parts.store.queue_length()} patients queued"
        yield from _servers(adapter)
        yield from granted_sentences(adapter.auths)
        searches = Searches.of(parts, adapter.options.read)
        yield discovery_sentence(settings)
        if parts.listed is not None:
            listed = parts.listed.read()
            yield f"The list names {number_of(len(listed.patients), 'patient')}"
            yield from listed.warnings
        Proving(searches).prepare()
        yield from searches.warnings
        if not searches.by_patient:
            next(results_of_everybody(searches, alone=True), None)  # raises where no pass could run
        if not searches.proved:
            yield "No HER2 result was found there, so the searches could not be tried"
    yield "All good"


def _servers(adapter: Adapter) -> Iterator[str]:
    parts = adapter.parts
    servers = {"Source": parts.source, "Target": parts.target}
    if parts.source is parts.target:
        servers = {"Server": parts.source}
    for role, server in servers.items():
        found = server.capability()
        yield f"{role} {server.base_url}: {found.software or 'a server'}, FHIR {found.fhir_version}"
        if found.system_interactions and "transaction" not in found.system_interactions:
            yield (
                f"{role} does not say that it takes transactions: results are then written one resource at a time"
            )

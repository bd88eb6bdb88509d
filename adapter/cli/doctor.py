"""`doctor`: measures the configured servers and prints one page for an administrator."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapter.cli.exit_codes import DONE, INTERRUPTED, NEEDS_OPERATOR
from adapter.cli.printing import print_blocks, say
from adapter.cli.shared import Shared
from adapter.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from adapter.bootstrap import Adapter
    from adapter.doctor.bench import Bench
    from adapter.doctor.findings import Examination
    from adapter.doctor.judge import Advice
    from adapter.ports import FhirServer
    from adapter.settings import Settings

ReadOnly = Annotated[
    bool | None,
    typer.Option(
        "--read-only/--write",
        help="Send reads only; the default in observe mode. --write measures there too.",
        show_default=False,
    ),
]
OnlySource = Annotated[
    bool, typer.Option("--source", help="Only the server that results are read from.")
]
OnlyTarget = Annotated[
    bool, typer.Option("--target", help="Only the server that categories are written to.")
]
Patience = Annotated[
    float,
    typer.Option("--patience", metavar="S", min=1, help="Wait so long for what was written."),
]

ENTRIES_OF_A_CASE: Final = 2
"""A derived Observation and its Provenance."""


@dataclass(frozen=True)
class _Role:
    """What one server is to the adapter, and why nothing is written there; "" where something is."""

    name: str
    server: FhirServer
    is_source: bool
    is_target: bool
    no_writes: str


def doctor(
    shared: Shared,
    read_only: ReadOnly = None,
    source: OnlySource = False,
    target: OnlyTarget = False,
    patience: Patience = 300.0,
) -> int:
    """Measure the servers: what works, what does not, what is missing, and what the adapter does because of it.

    It writes a few resources of its own, which name no patient, and takes them away again. A source that is not
    the target is only read. What was measured is kept, and holds from the next start on.
    """
    from adapter.bootstrap import open_adapter
    from adapter.cli.doctor_page import page
    from adapter.cli.granted_text import granted_sentences
    from adapter.doctor.remedies import remedies

    settings = shared.settings(quiet=True)
    whole = source == target
    wanted = _Wanted(settings, read_only, source=source or whole, target=target or whole)
    code = DONE
    with stop_on_signals() as stop, open_adapter(settings, stop.event) as adapter:
        for role in wanted.roles(adapter):
            bench = _bench(role, adapter, stop.event, patience)
            found = _examined(role, bench, adapter, settings)
            advice = _with_withheld(_judged(found, settings), role, adapter)
            if not stop.is_set():
                _keep(found, advice, adapter)
            print_blocks(
                shared.form,
                page(
                    role.name,
                    found,
                    advice,
                    remedies(found, advice, settings.source.page_size),
                    shared.form,
                ),
            )
            say(*granted_sentences(adapter.auths), *_overruling(advice, settings))
            if not stop.is_set() and (advice.target or advice.source):
                say("Kept in the state store: it holds from the next start on")
            if advice.cannot_write or advice.missing or found.foreign_links or found.left:
                code = NEEDS_OPERATOR
    if stop.is_set():
        say("Stopped: what was measured is not kept")
        return INTERRUPTED
    return code


@dataclass(frozen=True)
class _Wanted:
    """What the command line and the settings ask for."""

    settings: Settings
    read_only: bool | None
    source: bool
    target: bool

    def roles(self, adapter: Adapter) -> list[_Role]:
        """Give the servers to measure; one that is both is measured once."""
        parts = adapter.parts
        if parts.source is parts.target:
            return [
                self._role("Server", parts.source, is_source=self.source, is_target=self.target)
            ]
        roles = []
        if self.source:
            roles.append(self._role("Source", parts.source, is_source=True, is_target=False))
        if self.target:
            roles.append(self._role("Target", parts.target, is_source=False, is_target=True))
        return roles

    def _role(self, name: str, server: FhirServer, *, is_source: bool, is_target: bool) -> _Role:
        why = ""
        if not is_target:
            why = "a source is only read"
        elif self.read_only:
            why = "it takes a write, and --read-only was asked for"
        elif self.read_only is None and self.settings.mode == "observe":
            why = "it takes a write, and mode is observe; --write measures it"
        return _Role(name, server, is_source, is_target, why)


def _bench(role: _Role, adapter: Adapter, stop: Event, patience: float) -> Bench:
    from adapter.doctor.bench import Bench

    return Bench(role.server, adapter.parts.clock, patience, stopped=stop.is_set)


def _examined(role: _Role, bench: Bench, adapter: Adapter, settings: Settings) -> Examination:
    from adapter.doctor.examine import Examiner, Task
    from adapter.sync.reading.searches import Searches

    task = Task(
        is_source=role.is_source,
        is_target=role.is_target,
        no_writes=role.no_writes,
        page_size=settings.source.page_size,
        entries=_entries(settings),
        tell=_tell,
        group=settings.poll.group is not None,
        source_url="" if role.is_source else adapter.parts.source.base_url,
    )
    searches = Searches.of(adapter.parts, adapter.options.read) if role.is_source else None
    return Examiner(bench, task, searches).examine()


def _with_withheld(advice: Advice, role: _Role, adapter: Adapter) -> Advice:
    """Add to the missing scopes those that the token itself lacks, where it says which it has."""
    from adapter.transport.smart import SmartAuth, compare

    auth = adapter.auths["source" if role.is_source or "target" not in adapter.auths else "target"]
    report = auth.scopes if isinstance(auth, SmartAuth) else None
    if report is None or report.granted is None:
        return advice
    withheld = compare(advice.scopes, " ".join(report.granted)).missing
    return replace(advice, missing=tuple(sorted({*advice.missing, *withheld})))


def _judged(found: Examination, settings: Settings) -> Advice:
    from adapter.doctor.judge import advise

    return advise(
        found,
        writes=settings.mode == "write",
        page_size=settings.source.page_size,
        entries=_entries(settings),
        group=settings.poll.group is not None,
    )


def _entries(settings: Settings) -> int:
    return ENTRIES_OF_A_CASE * settings.target.batch_cases


def _keep(found: Examination, advice: Advice, adapter: Adapter) -> None:
    """Keep what was decided, for the base URL that was measured."""
    from adapter.audit import AuditAction
    from adapter.sync.auditing import Auditor
    from adapter.sync.measured import Measurement, remember

    parts = adapter.parts
    when = Measurement(found.base_url, found.at)
    for measured in (advice.target, advice.source):
        if measured is not None:
            remember(parts.store, measured, when)
    outcome = "kept" if advice.target or advice.source else "nothing-to-keep"
    auditor = Auditor(parts.context, parts.actor)
    parts.store.record([auditor.happened(AuditAction.DOCTOR_RUN, outcome, at=found.at)])


def _overruling(advice: Advice, settings: Settings) -> Iterator[str]:
    """Say which explicit setting wins over what was measured."""
    source, target = advice.source, advice.target
    compared: list[tuple[str, object, object]] = []
    if source is not None:
        compared += [
            ("source.page_size", settings.source.page_size, source.page_size),
            ("poll.overlap_seconds", settings.poll.overlap_seconds, source.overlap_seconds),
        ]
    if target is not None:
        transactions = "atomic" if target.atomic else "single"
        compared += [
            ("target.write_strategy", settings.target.write_strategy, target.strategy.value),
            ("target.transactions", settings.target.transactions, transactions),
        ]
    for name, chosen, found in compared:
        if name in settings.origins and chosen not in (found, "auto"):
            shown = f"{chosen:g}" if isinstance(chosen, float) else chosen
            said = f"{found:g}" if isinstance(found, float) else found
            yield f"{name} is {shown} ({settings.origins[name]}), which wins over {said}"


def _tell(step: str) -> None:
    """Show the step under way to somebody who looks."""
    if sys.stderr.isatty():
        say(f"measuring: {step}")

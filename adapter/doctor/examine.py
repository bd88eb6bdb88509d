"""One server, measured from one end to the other; what goes wrong with one measurement never stops the others."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from adapter.doctor import reading, seen, single_writes, transactions
from adapter.doctor.bench import Bench
from adapter.doctor.findings import Examination, Finding, Standing, Topic, measured, not_measured
from adapter.doctor.judge import LAG_FACTOR, strategy_of
from adapter.doctor.traces import Traces
from adapter.errors import (
    ForeignOrigin,
    NotAuthorised,
    ServerError,
    TemporaryServerError,
    VersionConflict,
)
from adapter.ports import JsonObject
from adapter.sync.reading.searches import Searches

_WRITING: Final = (
    Topic.INDEX_LAG,
    Topic.SEARCH_CACHE,
    Topic.DELETE,
    Topic.PAGING,
    Topic.NO_OP_UPDATE,
    Topic.IF_MATCH,
    Topic.CONDITIONAL_UPDATE,
    Topic.UPDATE_RACE,
    Topic.CONDITIONAL_CREATE,
    Topic.CREATE_RACE,
    Topic.TRANSACTION,
    Topic.ATOMIC,
    Topic.ENTRIES,
    Topic.VERSIONS_KEPT,
)
_UNAUTHORISED: Final = 401
_FOREIGN: Final = (
    "not seen: the link to a next page leads to another address, where nothing is ever sent"
)


@dataclass(frozen=True)
class Task:
    """What is asked of one examination.

    `is_source`, `is_target`: what the adapter uses the server for. `no_writes`: why nothing is written; "" where
    something may be. `page_size`, `entries`: what the adapter would ask for and send at once. `tell`: told of each
    step. `source_url`: base URL of the server that results are read on, where it is another one, else "".
    `group`: a FHIR Group says whom to look at.
    """

    is_source: bool
    is_target: bool
    no_writes: str = ""
    page_size: int = 500
    entries: int = 50
    tell: Callable[[str], None] = lambda _: None
    source_url: str = ""
    group: bool = False


class Examiner:
    """Examines one server once. `searches` proves how HER2 results are found; None where it is no source."""

    def __init__(self, bench: Bench, task: Task, searches: Searches | None = None) -> None:
        self._bench = bench
        self._task = task
        self._searches = searches
        self._findings: dict[Topic, Finding] = {}
        self._traces = Traces(bench, secrets.token_hex(4))

    def examine(self) -> Examination:
        """Measure everything; own resources are taken away whatever happens.

        Raises: ServerError when what answers is no FHIR R4 server at all.
        """
        capability = self._bench.server.capability()
        task = self._task
        self._try(
            (Topic.ACCESS,),
            lambda: [
                reading.access(
                    self._bench,
                    is_source=task.is_source,
                    is_target=task.is_target,
                    group=task.group,
                )
            ],
        )
        left: tuple[str, ...] = ()
        if task.no_writes:
            self._skip((Topic.CLIENT_IDS, *_WRITING, *self._between_servers), task.no_writes)
            self._by_reading()
            self._look_for_left_overs()
        else:
            earlier = self._traces.left_over()
            try:
                self._by_writing()
                self._by_reading()
            finally:
                left = self._clean_up(earlier)
        return Examination(
            base_url=self._bench.server.base_url,
            software=capability.software,
            fhir_version=capability.fhir_version,
            at=self._bench.clock.now(),
            is_source=task.is_source,
            is_target=task.is_target,
            findings={topic: self._findings[topic] for topic in Topic if topic in self._findings},
            denied=frozenset(self._bench.denied),
            foreign_links=self._bench.foreign_links,
            left=left,
        )

    def _by_writing(self) -> None:
        bench, traces = self._bench, self._traces
        self._try((Topic.CLIENT_IDS,), lambda: [single_writes.client_ids(bench, traces)])
        if not traces.first:
            self._skip((*_WRITING, *self._between_servers), "nothing could be written")
            return
        first = traces.first
        self._try((Topic.INDEX_LAG, Topic.SEARCH_CACHE), lambda: seen.index_lag(bench, traces))
        lag = self._findings[Topic.INDEX_LAG].value
        if isinstance(lag, float):
            traces.index_seconds = LAG_FACTOR * lag
        self._try((Topic.DELETE,), lambda: [seen.deletion(bench, traces)])
        self._try((Topic.PAGING,), lambda: [seen.paging(bench, traces)])
        self._try((Topic.NO_OP_UPDATE,), lambda: [single_writes.no_op_update(bench, first)])
        self._try((Topic.IF_MATCH,), lambda: [single_writes.if_match(bench, first)])
        for kind in (single_writes.UPDATE, single_writes.CREATE):
            measure = partial(single_writes.conditional, bench, traces, kind)
            self._try((kind.topic, kind.race), measure)
        self._try((Topic.TRANSACTION, Topic.ATOMIC, Topic.ENTRIES), self._transactions)
        self._try(
            (Topic.VERSIONS_KEPT,), lambda: [transactions.versions_kept(bench, traces, first)]
        )
        if self._between_servers:
            elsewhere = self._task.source_url
            self._try(
                self._between_servers,
                lambda: [single_writes.foreign_references(bench, traces, elsewhere)],
            )

    @property
    def _between_servers(self) -> tuple[Topic, ...]:
        return (Topic.FOREIGN_REFERENCES,) if self._task.source_url else ()

    def _transactions(self) -> Iterator[Finding]:
        strategy = strategy_of(self._findings)
        if strategy is None:
            for topic in (Topic.TRANSACTION, Topic.ATOMIC, Topic.ENTRIES):
                yield not_measured(topic, "no way to write was found")
            return
        sender = transactions.Sender(self._bench, self._traces, strategy)
        yield from transactions.transactions(sender, self._traces.first, entries=self._task.entries)

    def _by_reading(self) -> None:
        bench, task = self._bench, self._task
        if task.is_source:
            if self._searches is not None:
                searches = self._searches
                self._try((Topic.FORMS,), lambda: reading.forms(searches))
            if Topic.LAST_UPDATED not in self._findings:
                self._try(
                    (Topic.LAST_UPDATED,), lambda: [reading.changes(bench, self._traces.first)]
                )
            self._try((Topic.PAGE_SIZE,), lambda: [reading.page_size(bench, task.page_size)])
        self._try((Topic.UNKNOWN_PARAMETER,), lambda: [reading.unknown_parameter(bench)])
        self._try((Topic.CLOCK,), lambda: [reading.clock(bench)])

    def _try(self, topics: tuple[Topic, ...], measure: Callable[[], Iterable[Finding]]) -> None:
        """Measure some topics; what a server's error leaves open is noted as such."""
        if self._bench.stopped():
            self._skip(topics, "stopped before it")
            return
        self._task.tell(topics[0].value)
        try:
            try:
                self._note(measure())
            except (NotAuthorised, VersionConflict, TemporaryServerError) as error:
                if isinstance(error, NotAuthorised) and error.status != _UNAUTHORISED:
                    raise
                # Once more: a fault that passes, or a token that has ended, is no habit of the server.
                self._note(measure())
        except NotAuthorised as error:
            for topic in topics:
                refused = Finding(topic, Standing.REFUSED, f"denied ({error.status})", works=False)
                self._findings.setdefault(topic, refused)
        except ForeignOrigin:
            for topic in topics:
                self._findings.setdefault(topic, measured(topic, _FOREIGN, works=False))
        except ServerError as error:
            self._skip(topics, str(error))
        else:
            self._skip(topics, "stopped during it")

    def _note(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if self._bench.stopped():
                break  # a wait that was cut short says nothing of the server
            self._findings[finding.topic] = finding

    def _skip(self, topics: Iterable[Topic], why: str) -> None:
        for topic in topics:
            self._findings.setdefault(topic, not_measured(topic, why))

    def _look_for_left_overs(self) -> None:
        found = self._traces.left_over()
        if found:
            says = f"{len(found)} of an earlier doctor stand; one that may write takes them away"
            self._findings[Topic.REMOVAL] = measured(Topic.REMOVAL, says, works=False)

    def _clean_up(self, earlier: dict[str, JsonObject]) -> tuple[str, ...]:
        """Take own resources away, and say what became of them."""
        self._task.tell(Topic.REMOVAL.value)
        removed = self._traces.take_away(earlier)
        left = removed.left
        said = [f"{removed.deleted} deleted"] if removed.deleted else []
        if removed.marked:
            said.append(
                f"{removed.marked} marked entered-in-error, because they could not be deleted"
            )
        if removed.earlier:
            said.append(f"{removed.earlier} of them of an earlier doctor")
        if self._bench.is_unsure:
            said.append(
                "some writes got no good answer: should one land late, the next doctor finds it"
            )
        if left:
            said.append(f"{len(left)} still stand: {', '.join(left[:5])}")
        says = "; ".join(said) or "there were none"
        self._findings[Topic.REMOVAL] = measured(Topic.REMOVAL, says, works=not left)
        return left

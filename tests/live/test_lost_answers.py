"""Protects against not knowing: a write whose answer, or whose client, was lost on the way.

It may have landed, may never land, or may land later, when somebody else has already done the work.
Whatever is true, each patient must end with one version and one Provenance: that is what the outbox
of frozen bundles is for.
"""

from __future__ import annotations

from enum import StrEnum

import pytest

from adapter.errors import UnknownOutcome
from adapter.ports import EntryOutcome, FhirServer
from adapter.sync.cycle import PassOutcome
from adapter.sync.passed_on import PassedOn
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records

PATIENTS = 6


class Lost(StrEnum):
    """What was lost of the first transaction that holds cases."""

    ANSWER = "answer"
    REQUEST = "request"
    LATE = "late"
    """Neither: it arrives after everything that was sent later."""


class KilledError(BaseException):
    """Stands for SIGKILL: nothing of the adapter runs after it."""


class Line(PassedOn):
    """The way to a server, on which one transaction has bad luck."""

    def __init__(self, server: FhirServer, lost: Lost, failure: BaseException) -> None:
        super().__init__(server)
        self._lost: Lost | None = lost
        self._failure = failure
        self.late: bytes | None = None

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        if self._lost is None or b'"Provenance"' not in bundle:
            return super().transact(bundle)
        lost, self._lost = self._lost, None
        if lost is Lost.ANSWER:
            super().transact(bundle)
        elif lost is Lost.LATE:
            self.late = bundle
        raise self._failure

    def let_arrive(self, server: FhirServer) -> None:
        """Let what is late arrive at the server."""
        if self.late is not None:
            server.transact(self.late)


def _assert_written_once(records: Records) -> None:
    """Hold each patient to one version, explained by one Provenance.

    HAPI makes a new version of an equal Provenance, because it fills in the version of its target
    before it compares; then all of them must say the same.
    """
    derived = records.derived()
    assert len(derived) == len({one["subject"]["reference"] for one in derived}) == PATIENTS
    for record in derived:
        assert len(records.story_of(record)) == 1
        (provenance,) = records.provenances(record)
        said = [{**one, "meta": None} for one in records.history(provenance)]
        assert all(one == said[0] for one in said)
    assert len(records.search("Provenance", _count="500")) == PATIENTS


@pytest.mark.parametrize("lost", Lost)
def test_write_of_unknown_outcome_is_made_once(
    laboratory: Laboratory, records: Records, install: Adapters, lost: Lost
) -> None:
    laboratory.women(PATIENTS)
    lines: list[Line] = []

    def over_a_bad_line(server: FhirServer) -> FhirServer:
        lines.append(Line(server, lost, UnknownOutcome("no answer came")))
        return lines[-1]

    adapter = install(watched=over_a_bad_line)
    assert adapter.run().outcome is PassOutcome.DONE
    lines[0].let_arrive(lines[0].server)
    adapter.settle()
    _assert_written_once(records)


@pytest.mark.parametrize("lost", Lost)
def test_write_of_a_killed_client_is_made_once(
    laboratory: Laboratory, records: Records, install: Adapters, lost: Lost
) -> None:
    laboratory.women(PATIENTS)
    lines: list[Line] = []

    def over_a_bad_line(server: FhirServer) -> FhirServer:
        lines.append(Line(server, lost, KilledError()))
        return lines[-1]

    killed = install(watched=over_a_bad_line)
    with pytest.raises(KilledError):
        killed.run()
    killed.stop()

    adapter = install()
    adapter.run()
    lines[0].let_arrive(adapter.adapter.parts.target)
    adapter.settle()
    _assert_written_once(records)

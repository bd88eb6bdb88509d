"""Protects the many from the one: a case that a server refuses is parked, and the rest land."""

from __future__ import annotations

from adapter.errors import PermanentServerError
from adapter.ports import EntryOutcome, FhirServer
from adapter.sync.cycle import PassOutcome
from adapter.sync.passed_on import PassedOn
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records
from tests.live.servers import LiveServer

PATIENTS = 120


class Picky(PassedOn):
    """A real server that refuses every transaction in which one word occurs; counts those."""

    def __init__(self, server: FhirServer, word: str) -> None:
        super().__init__(server)
        self._word = word.encode()
        self.refused = 0

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        if self._word and self._word in bundle:
            self.refused += 1
            raise PermanentServerError("HAPI-0000: a value is wrong", status=422)
        return super().transact(bundle)

    def heal(self) -> None:
        """Refuse nothing any more."""
        self._word = b""


def test_one_poisoned_case_among_120_is_parked_and_119_land(
    laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    women = laboratory.women(PATIENTS)
    poisoned = laboratory.patient(women[77])
    made: list[Picky] = []

    def picky(server: FhirServer) -> FhirServer:
        made.append(Picky(server, f'"{poisoned}"'))
        return made[-1]

    adapter = install(watched=picky)
    report = adapter.run()
    assert report.outcome is PassOutcome.DONE
    assert len(report.parked) == 1
    assert next(iter(report.parked.values())) == "HAPI-0000: a value is wrong"
    records.assert_sound(patients=PATIENTS - 1)
    assert records.derived(poisoned) == []
    (server,) = made
    assert server.refused <= 7, (
        "a bundle of 25 is halved at most five times, and the case is asked for once more"
    )

    # Later passes go on and leave it alone; so does a new process. A sweep asks once more.
    tried = server.refused
    for _ in range(2):
        assert adapter.run().outcome is PassOutcome.DONE
    assert server.refused == tried
    assert adapter.run(full_sweep=True).parked.keys() == report.parked.keys()
    assert server.refused == tried + 1

    # An operator who has mended the server retries it.
    server.heal()
    store = adapter.adapter.parts.store
    store.unpark(report.parked)
    store.enqueue([poisoned], reason="retry")
    adapter.settle()
    records.assert_sound(patients=PATIENTS)


def test_poisoned_case_is_tried_again_when_its_sources_change(
    laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    ihc = laboratory.ihc("anna", "1+")
    laboratory.ihc("berta", "1+")
    # The record of IHC 1+ is refused, one of another category is not.
    adapter = install(
        watched=lambda server: Picky(
            server, f"{ihc}/_history/{laboratory.read(ihc)['meta']['versionId']}"
        )
    )
    assert len(adapter.run().parked) == 1
    laboratory.amend(ihc, "3+")
    assert adapter.run().parked == {}
    adapter.settle()
    assert adapter.adapter.parts.store.parked() == ()
    records.assert_sound(patients=2)


class Hasty(PassedOn):
    """Between reading and writing the laboratory deletes a result, once."""

    def __init__(self, server: FhirServer, laboratory: Laboratory, reference: str) -> None:
        super().__init__(server)
        self._laboratory = laboratory
        self._reference: str | None = reference

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        if self._reference and self._reference.encode() in bundle:
            self._laboratory.delete(self._reference)
            self._reference = None
        return super().transact(bundle)


def test_result_that_is_deleted_before_its_record_is_written_stops_nobody_else(
    server: LiveServer, laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    """A content that real servers refuse themselves: a reference to what is gone."""
    laboratory.women(20)
    lost = laboratory.ihc("anna", "3+")
    adapter = install(
        watched=lambda real: Hasty(real, laboratory, lost), poll__absence_confirm_seconds=0
    )
    report = adapter.run()
    assert report.outcome is PassOutcome.DONE
    # Where references are not checked the record lands, and is withdrawn once its source is known to be gone.
    landed = 0 if server.checks_references else 1
    records.assert_sound(patients=20 + landed)
    assert len(records.derived(laboratory.patient("anna"))) == landed
    assert len(report.parked) == 1 - landed
    assert adapter.settle().outcome is PassOutcome.DONE

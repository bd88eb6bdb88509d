"""Protects sites whose server cannot be asked what changed: a list in a file, a Group, or requests alone.

On a sandbox with the habits of Epic (it refuses searches of no patient, knows no _lastUpdated and no versions, takes
no batches), which is only read; what stands in the end is what the oracle asks for. And on real servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.errors import ListUnusable
from adapter.sandbox.server import Sandbox
from adapter.sync.cycle import PassKind
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of
from tests.live.servers import LiveServer, strict_sandbox

WALK_AT_ONCE = 1e-6
"""Hours between two walks, so that each pass is one."""


class Ehr:
    """An EHR that is only read, the server beside it that is written to, and whoever keeps the list."""

    def __init__(self, source: Sandbox, target: Sandbox, folder: Path) -> None:
        self.source, self.target, self.folder = source, target, folder
        self.laboratory = Laboratory(source.base_url)
        self.records = Records(target.base_url, source.base_url)
        self.file = folder / "patients.txt"
        self._opened: list[AdapterUnderTest] = []
        self.behave_as_epic()

    def behave_as_epic(self) -> None:
        self.source.habits.choose(profile="epic")

    def at_the_laboratory(self, method: str, *given: Any, **elements: Any) -> str:
        """Let the laboratory write by its own interface, which is not FHIR's."""
        self.source.habits.choose()
        try:
            return str(getattr(self.laboratory, method)(*given, **elements))
        finally:
            self.behave_as_epic()

    def list_file(self, *names: str) -> None:
        """Replace the list as a job should: by renaming a finished file over it."""
        new = self.folder / "patients.new"
        new.write_text("".join(f"{self.laboratory.patient(one)}\n" for one in names), "utf-8")
        new.replace(self.file)

    def list_group(self, *names: str, inactive: str = "") -> None:
        """Replace the members of Group/her2."""
        members = [
            {
                "entity": {"reference": self.laboratory.patient(one)},
                **({"inactive": True} if one == inactive else {}),
            }
            for one in names
        ]
        made = {"resourceType": "Group", "id": "her2", "type": "person", "actual": True}
        self.at_the_laboratory("put", {**made, "member": members})

    def adapter(self, **settings: Any) -> AdapterUnderTest:
        said = {"poll__sweep_hours": WALK_AT_ONCE, "poll__absence_confirm_seconds": 0, **settings}
        made = AdapterUnderTest(
            self.source.base_url,
            self.folder / "state.sqlite",
            target__url=self.target.base_url,
            **said,
        )
        self._opened.append(made)
        return made

    def by_file(self, **settings: Any) -> AdapterUnderTest:
        return self.adapter(
            poll__discovery="patients", poll__patients_file=str(self.file), **settings
        )

    def categories(self) -> dict[str, str]:
        """Patient → category of what stands and is not withdrawn."""
        start = len(f"{self.source.base_url}/Patient/{self.laboratory.prefix}-")
        return {
            one["subject"]["reference"][start:]: category_of(one)
            for one in self.records.derived()
            if one["status"] != "entered-in-error"
        }

    def close(self) -> None:
        for one in self._opened:
            one.stop()
        self.laboratory.close()
        self.records.close()


@pytest.fixture
def ehr(tmp_path: Path) -> Iterator[Ehr]:
    with Sandbox() as source, strict_sandbox() as target:
        made = Ehr(source, target, tmp_path)
        yield made
        made.close()


def test_the_life_of_results_by_a_list_in_a_file(ehr: Ehr) -> None:
    anna = ehr.at_the_laboratory("ihc", "anna", "1+")
    berta = ehr.at_the_laboratory("ihc", "berta", "2+")
    clara = ehr.at_the_laboratory("ihc", "clara", "3+")
    ehr.at_the_laboratory("ihc", "dora", "3+")
    ehr.list_file("anna", "berta", "clara")
    adapter = ehr.by_file()
    assert adapter.run().kind is PassKind.WALK
    assert ehr.categories() == {"anna": "low", "berta": "equivocal", "clara": "positive"}
    assert adapter.run().writes == 0

    ehr.at_the_laboratory("amend", anna, "3+")
    ehr.at_the_laboratory("fish", "berta", "Negative")
    ehr.at_the_laboratory("withdraw", clara)
    adapter.start()
    adapter.run()
    assert ehr.categories() == {"anna": "positive", "berta": "low"}

    ehr.at_the_laboratory("delete", anna)
    assert adapter.run().actions["wait"] == 1
    adapter.run()
    assert ehr.categories() == {"berta": "low"}
    quiet = ehr.target.writes
    adapter.run()
    (ehr.folder / "state.sqlite").unlink()
    adapter.start()
    assert adapter.run().kind is PassKind.WALK
    assert ehr.target.writes == quiet
    (told,) = (one for one in ehr.records.derived() if berta in str(one.get("derivedFrom")))
    assert [one["status"] for one in ehr.records.history(told)] == ["preliminary", "final"]
    ehr.records.assert_sound(patients=3)


def test_a_source_without_versions_is_named_by_its_content(ehr: Ehr) -> None:
    ehr.at_the_laboratory("ihc", "anna", "1+")
    ehr.list_file("anna")
    ehr.by_file().run()
    (derived,) = ehr.records.derived()
    (provenance,) = ehr.records.provenances(derived)
    (entity,) = provenance["entity"]
    assert "_history" not in entity["what"]["reference"]
    assert ehr.records.read(entity["what"]["reference"])["id"]
    (said,) = (one["valueString"] for one in entity["extension"])
    assert len(said) == 64


def test_who_leaves_the_list_keeps_what_stands_and_who_comes_is_looked_at(ehr: Ehr) -> None:
    for name in ("anna", "berta", "clara"):
        ehr.at_the_laboratory("ihc", name, "1+")
    ehr.list_file("anna", "berta")
    adapter = ehr.by_file(poll__sweep_hours=24.0)
    adapter.settle()
    ehr.list_file("berta", "clara")
    report = adapter.run()
    assert (report.kind, report.actions) == (PassKind.INCREMENTAL, {"create": 1})
    assert ehr.categories() == dict.fromkeys(("anna", "berta", "clara"), "low")


def test_a_list_that_is_gone_or_empty_changes_nothing_and_heals(ehr: Ehr) -> None:
    anna = ehr.at_the_laboratory("ihc", "anna", "1+")
    ehr.list_file("anna")
    adapter = ehr.by_file()
    adapter.settle()
    ehr.at_the_laboratory("amend", anna, "3+")
    for spoil in (lambda: ehr.file.write_text(""), ehr.file.unlink):
        spoil()
        with pytest.raises(ListUnusable):
            adapter.run()
        assert ehr.categories() == {"anna": "low"}
    ehr.list_file("anna")
    adapter.run()
    assert ehr.categories() == {"anna": "positive"}


def test_a_group_on_the_server_is_read_anew_for_each_pass(ehr: Ehr) -> None:
    for name in ("anna", "berta", "clara"):
        ehr.at_the_laboratory("ihc", name, "1+")
    ehr.list_group("anna", "berta", inactive="berta")
    adapter = ehr.adapter(poll__discovery="patients", poll__group="Group/her2")
    adapter.run()
    assert ehr.categories() == {"anna": "low"}
    ehr.list_group("anna", "clara")
    adapter.run()
    assert ehr.categories() == {"anna": "low", "clara": "low"}
    ehr.at_the_laboratory("delete", "Group/her2")
    with pytest.raises(ListUnusable):
        adapter.run()
    assert ehr.categories() == {"anna": "low", "clara": "low"}


def test_by_requests_alone_only_who_is_asked_for_is_looked_at(ehr: Ehr) -> None:
    anna = ehr.at_the_laboratory("ihc", "anna", "1+")
    ehr.at_the_laboratory("ihc", "berta", "1+")
    adapter = ehr.adapter(poll__discovery="requests")
    assert (adapter.run().patients, ehr.categories()) == (0, {})
    adapter.run(patients=[ehr.laboratory.patient("anna")])
    adapter.settle()
    ehr.at_the_laboratory("amend", anna, "3+")
    adapter.run()
    assert ehr.categories() == {"anna": "low"}
    adapter.run(patients=[ehr.laboratory.patient("anna")])
    assert ehr.categories() == {"anna": "positive"}


def test_nothing_that_the_ehr_refuses_is_asked_of_it_over_and_over(ehr: Ehr) -> None:
    ehr.at_the_laboratory("ihc", "anna", "1+")
    ehr.list_file("anna")
    adapter = ehr.by_file()
    adapter.settle()
    accesses = ehr.source.service.accesses
    before = len(accesses.all)
    adapter.run()
    asked = accesses.all[before:]
    assert asked
    assert [one for one in asked if one.status >= requests.codes.bad_request] == []


def test_a_list_is_walked_on_every_server(
    server: LiveServer,
    laboratory: Laboratory,
    records: Records,
    install: Adapters,
    tmp_path: Path,
) -> None:
    """Real servers too: several patients in one search, corrections, and nobody else."""
    women = laboratory.women(5)
    laboratory.ihc("stranger", "3+")
    file = tmp_path / "patients.txt"
    file.write_text("\n".join(map(laboratory.patient, women)), "utf-8")
    adapter = install(
        poll__discovery="patients",
        poll__patients_file=str(file),
        poll__sweep_hours=WALK_AT_ONCE,
    )
    assert adapter.run().kind is PassKind.WALK
    assert adapter.cycle.searches.patients_at_once is None
    records.assert_sound(patients=5)
    laboratory.amend(f"Observation/{laboratory.prefix}-{women[1]}-a-ihc", "3+")
    assert adapter.run().actions["update"] == 1
    assert adapter.run().writes == 0
    assert requests.get(f"{server.base_url}/metadata", timeout=60).ok
    records.assert_sound(patients=5)

"""Protects the record from others: an edit is healed, part of the results never replaces the whole.

And from itself: what the adapter wrote must never be read as a laboratory's result.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import FISH, IHC, LOINC, OVERALL, Laboratory
from tests.live.records import Records, Version, category_of
from tests.live.servers import LiveServer


def test_foreign_edit_of_our_observation_is_healed_once(
    server: LiveServer, laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    laboratory.ihc("anna", "1+")
    adapter.settle()
    ours = records.only(laboratory.patient("anna"))
    edited = json.loads(json.dumps(ours).replace('"low"', '"positive"'))
    laboratory.put(edited)
    assert category_of(records.only(laboratory.patient("anna"))) == "positive"

    report = adapter.run()
    assert report.signals["foreign-edit"] == 1
    healed = records.only(laboratory.patient("anna"))
    assert (healed["status"], category_of(healed)) == ("amended", "low")

    quiet = server.mark()
    adapter.settle()
    assert server.since(quiet).writes == 0
    # The foreign version has no Provenance of ours; each of our own two has one.
    assert len(records.history(healed)) == 3
    assert len(records.provenances(healed)) == 2


def test_deleted_record_of_ours_is_written_again(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest, server: LiveServer
) -> None:
    laboratory.ihc("berta", "3+")
    adapter.settle()
    ours = records.only(laboratory.patient("berta"))
    for provenance in records.provenances(ours):
        laboratory.delete(f"Provenance/{provenance['id']}")
    laboratory.delete(f"Observation/{ours['id']}")
    adapter.run(full_sweep=True)
    again = records.only(laboratory.patient("berta"))
    assert (again["id"], category_of(again)) == (ours["id"], "positive")
    quiet = server.mark()
    adapter.run(full_sweep=True)
    assert server.since(quiet).writes == 0


def test_fish_alone_through_derive_changes_nothing_on_a_server_that_holds_low(
    server: LiveServer,
    laboratory: Laboratory,
    records: Records,
    adapter: AdapterUnderTest,
    tmp_path: Path,
) -> None:
    ihc, fish = laboratory.ihc("clara", "2+"), laboratory.fish("clara", "Negative")
    adapter.settle()
    before = records.only(laboratory.patient("clara"))
    assert category_of(before) == "low"

    message = tmp_path / "fish.json"
    message.write_text(json.dumps(laboratory.read(fish)), encoding="utf-8")
    command = [sys.executable, "-m", "adapter", "derive", str(message), "--output", "json"]
    said = subprocess.run(command, capture_output=True, check=True, text=True, cwd=tmp_path)
    bundle = json.loads(said.stdout)
    assert bundle["type"] == "collection"
    assert all("request" not in entry for entry in bundle["entry"])
    # An engine that sends it all the same gets a refusal, or nothing happens.
    requests.post(server.base_url, json=bundle, timeout=60)

    assert records.only(laboratory.patient("clara"))["meta"] == before["meta"]
    assert adapter.run(patients=[laboratory.patient("clara")]).writes == 0
    assert adapter.settle().writes == 0
    assert records.story(laboratory.patient("clara")) == [
        Version("final", "low", "CREATE", {ihc: "1", fish: "1"})
    ]


@pytest.mark.parametrize("parameter", ["code", "combo-code", "component-code"])
def test_search_for_laboratory_tests_does_not_find_our_own_output(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest, parameter: str
) -> None:
    fish_components = [
        {
            "code": {"coding": [{"system": LOINC, "code": "49683-6"}]},
            "valueQuantity": {"value": 1.2, "system": "http://unitsofmeasure.org", "code": "1"},
        }
    ]
    laboratory.report(
        laboratory.result("dora", IHC, "2+"),
        laboratory.result("dora", FISH, "Negative", component=fish_components),
    )
    adapter.settle()
    ours = records.only(laboratory.patient("dora"))["id"]
    tests = ("85319-2", "85318-4", "49683-6", "74860-8", "74861-6", "62361-1")
    found = records.search("Observation", **{parameter: ",".join(f"{LOINC}|{t}" for t in tests)})
    assert found, "the laboratory's own results are found"
    assert ours not in {one["id"] for one in found}


def test_own_output_is_never_input(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    """Our code 48676-1 is also a laboratory's: a sweep by it brings ours, which must not count."""
    laboratory.ihc("emma", "1+")
    adapter.settle()
    ours = records.only(laboratory.patient("emma"))["id"]
    found = records.search("Observation", code=f"{LOINC}|{OVERALL}")
    assert [one["id"] for one in found] == [ours]
    report = adapter.run(full_sweep=True)
    assert report.fetched == 2
    assert report.outcomes == {"used": 1, "ignored": 1}
    assert [row.sources for row in report.rows] == [(laboratory.ihc("emma", "1+"),)]
    assert len(records.derived()) == 1

"""Protects the record over time: whatever the laboratory does to its results, one record follows.

Each version must have its own Provenance that names the very source versions it was made from.
"""

from __future__ import annotations

import pytest

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records, Version
from tests.live.servers import LiveServer


def test_score_that_goes_there_and_back_makes_three_versions_each_with_its_sources(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("anna", "1+")
    adapter.run()
    laboratory.amend(ihc, "2+", status="amended")
    adapter.run()
    laboratory.amend(ihc, "1+", status="amended")
    adapter.settle()
    assert records.story(laboratory.patient("anna")) == [
        Version("final", "low", "CREATE", {ihc: "1"}),
        Version("amended", "equivocal", "UPDATE", {ihc: "2"}),
        Version("amended", "low", "UPDATE", {ihc: "3"}),
    ]
    records.assert_sources_stand(records.only(laboratory.patient("anna")))
    records.assert_sound(patients=1)


def test_late_fish_settles_what_ihc_left_open(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("berta", "2+")
    adapter.run()
    fish = laboratory.fish("berta", "Negative")
    adapter.settle()
    assert records.story(laboratory.patient("berta")) == [
        Version("preliminary", "equivocal", "CREATE", {ihc: "1"}),
        Version("final", "low", "UPDATE", {ihc: "1", fish: "1"}),
    ]


def test_correction_by_the_laboratory_is_called_a_correction(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("clara", "3+")
    adapter.run()
    laboratory.amend(ihc, "1+", status="corrected")
    adapter.settle()
    assert records.story(laboratory.patient("clara")) == [
        Version("final", "positive", "CREATE", {ihc: "1"}),
        Version("corrected", "low", "UPDATE", {ihc: "2"}),
    ]


def test_withdrawn_result_takes_the_record_with_it_and_a_reinstated_one_brings_it_back(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("dora", "3+")
    adapter.run()
    laboratory.withdraw(ihc)
    adapter.run()
    laboratory.change(ihc, status="final")
    adapter.settle()
    assert records.story(laboratory.patient("dora")) == [
        Version("final", "positive", "CREATE", {ihc: "1"}),
        Version("entered-in-error", "positive", "NULLIFY", {ihc: "2"}),
        Version("amended", "positive", "UPDATE", {ihc: "3"}),
    ]
    records.assert_sound(patients=1)


def test_withdrawn_fish_opens_the_question_again(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc, fish = laboratory.ihc("emma", "2+"), laboratory.fish("emma", "Positive")
    adapter.run()
    laboratory.withdraw(fish)
    adapter.settle()
    told = records.story(laboratory.patient("emma"))
    assert [(one.status, one.category) for one in told] == [
        ("final", "positive"),
        ("amended", "equivocal"),
    ]
    assert told[1].sources == {ihc: "1"}


def test_source_version_that_says_the_same_writes_nothing(
    server: LiveServer, laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("frida", "1+")
    adapter.settle()
    laboratory.change(ihc, issued="2026-01-12T09:00:00Z")
    assert records.number(laboratory.read(ihc)) == 2
    quiet = server.mark()
    adapter.settle()
    assert server.since(quiet).writes == 0
    assert len(records.story(laboratory.patient("frida"))) == 1


def test_many_changes_between_two_passes_make_one_version(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("greta", "0")
    adapter.run()
    for answer in ("1+", "2+", "3+"):
        laboratory.amend(ihc, answer, status="amended")
    adapter.settle()
    assert records.story(laboratory.patient("greta")) == [
        Version("final", "negative", "CREATE", {ihc: "1"}),
        Version("amended", "positive", "UPDATE", {ihc: "4"}),
    ]


@pytest.mark.parametrize("letters", ["ab", "ba"], ids=["in-order", "reversed"])
def test_two_samples_of_one_patient_have_a_record_each(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest, letters: str
) -> None:
    for letter in letters:
        laboratory.ihc("hanna", {"a": "1+", "b": "3+"}[letter], letter=letter)
    adapter.settle()
    found = records.derived(laboratory.patient("hanna"))
    assert {one["specimen"]["reference"]: one["status"] for one in found} == {
        laboratory.sample("hanna", "a"): "final",
        laboratory.sample("hanna", "b"): "final",
    }
    records.assert_sound()


def test_changed_policy_family_keeps_to_its_own_records(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest, install: Adapters
) -> None:
    laboratory.ihc("ida", "1+")
    adapter.settle()
    basic = install("basic", policy__name="basic")
    basic.settle()
    found = records.derived(laboratory.patient("ida"))
    assert {one["method"]["text"] for one in found} == {"asco-cap-2023", "basic"}
    assert adapter.settle().writes == basic.settle().writes == 0

"""A result that came without an id, or shortened, leaves its patient undecided, and nobody else.

The other results of that patient could look definite without it: an IHC 3+ that is left out beside a
FISH would turn a positive into something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from adapter.ports import JsonObject, SearchPage, SearchParams
from tests.fakes.clock import FakeClock
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

Show = Callable[[JsonObject], JsonObject]


def without_id(resource: JsonObject) -> JsonObject:
    return {key: value for key, value in resource.items() if key != "id"}


def shortened(resource: JsonObject) -> JsonObject:
    tag = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        "code": "SUBSETTED",
    }
    left = {key: value for key, value in resource.items() if key != "valueCodeableConcept"}
    return {**left, "meta": {**resource["meta"], "tag": [tag]}}


def only(spoil: Show, *ids: str) -> Show:
    return lambda resource: spoil(resource) if resource["id"] in ids else resource


spoiling = pytest.mark.parametrize("spoil", [without_id, shortened])


@spoiling
@pytest.mark.parametrize("sweep", [True, False])
def test_nothing_is_decided_without_a_result_that_cannot_be_used(spoil: Show, sweep: bool) -> None:
    site = Site()
    site.laboratory.ihc("other", "1+")
    site.settle()
    site.laboratory.ihc("anna", "3+")
    site.laboratory.fish("anna", "Not amplified")
    site.laboratory.ihc("berta", "1+")
    site.server.show = only(spoil, "ihc-anna-a")
    report = site.run(full_sweep=sweep)
    assert site.categories() == {"other": "low", "berta": "low"}
    assert any("Patient/anna: a result came without" in words for words in report.warnings)
    assert report.queue_left >= 1
    site.server.show = lambda resource: resource
    site.settle()
    assert site.categories().keys() == {"other", "berta", "anna"}


@spoiling
def test_what_stands_is_left_as_it_stands(spoil: Show) -> None:
    site = Site()
    site.laboratory.ihc("anna", "3+")
    site.settle()
    before = site.only()
    site.laboratory.fish("anna", "Not amplified")
    site.server.show = only(spoil, "fish-anna-a")
    for sweep in (False, True, False):
        site.run(full_sweep=sweep)
    assert site.only() == before
    assert site.server.get("Observation/fish-anna-a") is not None


@spoiling
def test_a_spoiled_result_that_is_none_of_ours_stops_nobody(spoil: Show) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    ki67 = {"coding": [{"system": "http://loinc.org", "code": "29593-1"}], "text": "Ki-67"}
    laboratory = [{"coding": [{"code": "laboratory"}]}]
    other = {**site.laboratory.result("anna", "29593-1", "20 %"), "code": ki67}
    site.server.put({**other, "category": laboratory})
    site.server.show = only(spoil, str(other["id"]))
    site.settle()
    assert site.categories() == {"anna": "low"}


class Talking(FakeFhirServer):
    """Says something beside its results, while it is told to."""

    says: tuple[str, ...] = ()

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        for page in super().search(resource_type, params):
            yield replace(page, warnings=self.says)


def test_what_a_server_says_beside_its_results_is_told_while_it_says_so() -> None:
    server = Talking(FakeClock())
    site = Site(server=server)
    site.laboratory.ihc("anna", "1+")
    site.settle()
    server.says = ("warning incomplete: access denied to some",)
    for _ in range(2):
        assert site.run().warnings.count(server.says[0]) == 1
    server.says = tuple(f"warning {number}" for number in range(100))
    assert len([one for one in site.run().warnings if one.startswith("warning ")]) == 20
    server.says = ()
    assert not [one for one in site.run().warnings if one.startswith("warning ")]

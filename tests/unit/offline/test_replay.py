"""Deriving again from what Provenance names: agrees, differs with the elements, or cannot be told and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapter.her2.policy import ASCO_CAP_2023, BASIC
from adapter.offline.replay import Replayer
from adapter.offline.verdict import SENTENCES, Agreement, Verdict
from adapter.ports import JsonObject
from adapter.sync.options import ReadLimits
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site


def verify(site: Site, reference: str = "") -> Verdict:
    replayer = Replayer(site.parts, ReadLimits())
    return replayer.verify(reference or f"Observation/{site.only()['id']}")


def site_with(*results: tuple[str, str], **context: Any) -> Site:
    site = Site(**context)
    for kind, said in results:
        getattr(site.laboratory, kind)("p1", said)
    site.settle()
    return site


def pair(**context: Any) -> Site:
    return site_with(("ihc", "2+"), ("fish", "Positive"), **context)


def test_a_result_agrees_with_what_its_sources_gave() -> None:
    site = pair()

    verdict = verify(site)

    assert (verdict.agreement, verdict.reason, verdict.elements) == (Agreement.AGREES, "", ())
    assert (verdict.stored, verdict.derived) == ("positive", "positive")
    assert verdict.sources == (
        "Observation/fish-p1-a/_history/1",
        "Observation/ihc-p1-a/_history/1",
    )
    assert verdict.provenance == f"Provenance/{site.provenances(site.only())[-1]['id']}"


def test_nothing_is_written_by_looking() -> None:
    site = pair()
    writes = site.server.writes

    verify(site)

    assert site.server.writes == writes


@pytest.mark.parametrize("second", ["amended", "reinstated", "opened"])
def test_a_later_version_agrees_with_its_own_sources(second: str) -> None:
    site = pair()
    if second == "amended":
        site.laboratory.amend("Observation/fish-p1-a", "Negative")
    else:
        site.laboratory.take_back("Observation/fish-p1-a")
        site.settle()
        if second == "reinstated":
            site.laboratory.amend("Observation/fish-p1-a", "Positive")
    site.settle()

    verdict = verify(site)

    assert (verdict.agreement, verdict.elements) == (Agreement.AGREES, ())


def test_the_exact_version_is_read_although_the_source_says_something_else_now() -> None:
    site = pair()
    site.laboratory.amend("Observation/fish-p1-a", "Negative")

    verdict = verify(site)

    assert (verdict.agreement, verdict.derived) == (Agreement.AGREES, "positive")


def change(site: Site, **elements: Any) -> None:
    site.server.change(f"Observation/{site.only()['id']}", **elements)


@pytest.mark.parametrize(
    ("edit", "elements"),
    [
        ({"interpretation": [{"text": "no"}]}, ("interpretation",)),
        ({"specimen": {"reference": "Specimen/other"}}, ("specimen",)),
        ({"note": []}, ("note",)),
        ({"component": []}, ("component",)),
        ({"bodySite": {"text": "Left breast"}}, ("bodySite",)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_edited_result_differs_in_the_elements_edited(
    edit: dict[str, Any], elements: tuple[str, ...]
) -> None:
    site = pair()
    change(site, **edit)

    verdict = verify(site)

    assert (verdict.agreement, verdict.reason) == (Agreement.DIFFERS, "elements-differ")
    assert set(verdict.elements) >= set(elements)


def narrative(site: Site, old: str, new: str) -> JsonObject:
    text = site.only()["text"]
    assert old in text["div"]
    return {**text, "div": text["div"].replace(old, new)}


def test_a_narrative_that_says_something_else_differs() -> None:
    site = pair()
    change(site, text=narrative(site, "ositive", "egative"))

    assert verify(site).elements == ("text",)


def test_a_narrative_whose_markup_the_server_wrote_its_own_way_agrees() -> None:
    site = pair()
    change(site, text=narrative(site, "><", ">\n  <"))

    assert verify(site).agreement is Agreement.AGREES


def test_another_category_is_told_by_both_codes() -> None:
    site = pair()
    value = site.only()["valueCodeableConcept"]
    coding = [{**value["coding"][0], "code": "negative"}]
    change(site, valueCodeableConcept={**value, "coding": coding})

    verdict = verify(site)

    assert (verdict.stored, verdict.derived) == ("negative", "positive")
    assert "valueCodeableConcept" in verdict.elements


def without_versions(site: Site) -> None:
    """Strip what a server strips that keeps no versions in references."""
    for one in site.target.all("Provenance"):
        entities = [
            {**entity, "what": {"reference": entity["what"]["reference"].partition("/_history")[0]}}
            for entity in one["entity"]
        ]
        site.server.change(f"Provenance/{one['id']}", entity=entities)


def test_without_versions_the_hash_says_that_the_content_is_the_same() -> None:
    site = pair()
    without_versions(site)

    verdict = verify(site)

    assert (verdict.agreement, verdict.notes) == (Agreement.AGREES, ("current-content",))


def amended(site: Site) -> None:
    site.laboratory.amend("Observation/ihc-p1-a", "3+")


def only_the_newest(server: FakeFhirServer) -> None:
    for reference, versions in list(server.versions.items()):
        if reference.startswith("Observation/ihc"):
            server.versions[reference] = [*[None] * (len(versions) - 1), versions[-1]]


def spoil_hash(site: Site) -> None:
    (one,) = site.target.all("Provenance")
    entities = [
        {**entity, "extension": [{**entity["extension"][0], "valueString": "0" * 64}]}
        for entity in one["entity"]
    ]
    site.server.change(f"Provenance/{one['id']}", entity=entities)


def delete_sources(site: Site) -> None:
    without_versions(site)
    site.server.delete("Observation/ihc-p1-a")


def amend_without_versions(site: Site) -> None:
    without_versions(site)
    amended(site)


def drop_old_version(site: Site) -> None:
    amended(site)
    only_the_newest(site.server)


def delete_provenance(site: Site) -> None:
    for one in site.target.all("Provenance"):
        site.server.delete(f"Provenance/{one['id']}")


def drop_entities(site: Site) -> None:
    for one in site.target.all("Provenance"):
        site.server.change(f"Provenance/{one['id']}", entity=[])


def rename_policy(site: Site) -> None:
    for one in site.target.all("Provenance"):
        named = [uri.replace("asco-cap-2023", "asco-cap-2031") for uri in one["policy"]]
        site.server.change(f"Provenance/{one['id']}", policy=named)


def withdraw(site: Site) -> None:
    site.laboratory.take_back("Observation/ihc-p1-a")
    site.laboratory.take_back("Observation/fish-p1-a")
    site.settle()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (amend_without_versions, "source-version-gone"),
        (drop_old_version, "source-version-gone"),
        (delete_sources, "source-gone"),
        (spoil_hash, "source-not-as-hashed"),
        (delete_provenance, "no-provenance"),
        (drop_entities, "no-source-named"),
        (rename_policy, "policy-unknown"),
        (withdraw, "withdrawn"),
    ],
)
def test_what_cannot_be_verified_says_why(spoil: Callable[[Site], None], reason: str) -> None:
    site = pair()
    spoil(site)

    verdict = verify(site)

    assert (verdict.agreement, verdict.reason) == (Agreement.CANNOT, reason)
    assert reason in SENTENCES


@pytest.mark.parametrize("spoilt", ["ours", "source", "specimen"])
def test_beside_what_is_no_strict_json_nothing_is_verified_and_nothing_left_out(
    spoilt: str,
) -> None:
    site = pair()
    ours = f"Observation/{site.only()['id']}"
    references = {"ours": ours, "source": "Observation/ihc-p1-a", "specimen": "Specimen/s-p1-a"}
    site.server.no_strict_json = {references[spoilt]: "duplicate-key"}

    verdict = verify(site, ours)

    assert (verdict.agreement, verdict.reason) == (Agreement.CANNOT, "patient-not-readable")
    assert list(Replayer(site.parts, ReadLimits()).all_of_ours()) == [ours]


def test_what_is_not_there_or_not_ours_is_told() -> None:
    site = pair()

    assert verify(site, "Observation/nowhere").reason == "not-found"
    assert verify(site, "Observation/ihc-p1-a").reason == "not-ours"


def test_a_result_of_another_policy_is_not_ours() -> None:
    site = pair(policy=BASIC)
    reference = f"Observation/{site.only()['id']}"
    site.context = replace(site.context, policy=ASCO_CAP_2023)

    assert verify(site, reference).reason == "not-ours"


def test_the_sites_choices_of_then_are_used() -> None:
    site = site_with(("ihc", "0+"), policy=replace(ASCO_CAP_2023, zero_plus="zero"))
    stored = site.categories()
    site.context = replace(site.context, policy=ASCO_CAP_2023)

    verdict = verify(site)

    assert (verdict.agreement, verdict.derived) == (Agreement.AGREES, stored["p1"])


def test_other_mappings_are_said_and_the_answer_is_compared_all_the_same() -> None:
    site = pair()
    site.context = replace(site.context, mappings_version="0.0.0+another")

    verdict = verify(site)

    assert (verdict.agreement, verdict.notes) == (Agreement.AGREES, ("other-versions",))


def test_another_result_that_came_since_is_said() -> None:
    site = pair()
    site.clock.advance(60)
    site.laboratory.ihc("p1", "3+", sample="b")

    assert "others-changed" in verify(site).notes


def test_a_result_that_nothing_follows_from_any_more_differs() -> None:
    site = pair()
    for source in ("ihc-p1-a", "fish-p1-a"):
        one = site.server.get(f"Observation/{source}")
        assert one is not None
        changed = {**one, "code": {"text": "Ki-67"}}
        site.server.versions[f"Observation/{source}"][0] = changed
    without_hashes(site)

    verdict = verify(site)

    assert (verdict.agreement, verdict.reason) == (Agreement.DIFFERS, "no-such-sample")


def without_hashes(site: Site) -> None:
    for one in site.target.all("Provenance"):
        entities: list[JsonObject] = [
            {key: value for key, value in entity.items() if key != "extension"}
            for entity in one["entity"]
        ]
        site.server.change(f"Provenance/{one['id']}", entity=entities)


def test_all_of_ours_are_named_once_and_those_withdrawn_are_not() -> None:
    site = Site()
    for number in range(5):
        site.laboratory.ihc(f"p{number}", "1+")
    site.settle()
    site.laboratory.take_back("Observation/ihc-p0-a")
    site.settle()

    named = list(Replayer(site.parts, ReadLimits()).all_of_ours())

    assert sorted(named) == sorted(
        f"Observation/{one['id']}" for one in site.derived() if one["status"] != "entered-in-error"
    )
    assert len(named) == 4


def test_on_another_target_sources_are_found_on_the_source() -> None:
    site = Site()
    site.target = FakeFhirServer(site.clock, base_url="https://research.test/fhir")
    site.restart()
    site.laboratory.ihc("p1", "2+")
    site.laboratory.fish("p1", "Negative")
    site.settle()

    verdict = verify(site)

    assert (verdict.agreement, verdict.elements, verdict.stored) == (Agreement.AGREES, (), "low")

"""A HER2 result that no known code names is found, or it is said that the server cannot find it.

Protects what is searched beside codes (names, laboratory results) and the proofs without which a
server that ignores a parameter would send everything it holds, or nothing, unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import ParameterDropped
from adapter.fhir.identity import category_of
from adapter.ports import Capability, JsonObject, SearchPage, SearchParams
from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.options import LaboratorySweep, ReadLimits
from adapter.sync.reading.forms import MOST_UNASKED
from adapter.sync.reading.search_params import escaped, token
from adapter.sync.reading.trial import NOWHERE
from adapter.sync.reading.wanted import Wanted
from adapter.terminology.catalogue import load_catalogue
from tests.fakes.clock import FakeClock
from tests.fakes.laboratory import LOINC
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site, catalogue
from tests.unit.terminology.mapping_sets import overlay, site_map, site_toml

LABORATORY = [{"coding": [{"code": "laboratory"}]}]
NAMELESS = {"coding": [{"system": LOINC, "code": "85319-2"}]}
NAMES = frozenset({"code:text", "combo-code:text", "component-code:text"})


def site_with(
    mode: LaboratorySweep = LaboratorySweep.AUTO, server: FakeFhirServer | None = None
) -> Site:
    return Site(server=server, options=SyncOptions(read=ReadLimits(laboratory_sweep=mode)))


def named(site: Site, patient: str, text: str, answer: str = "1+", **elements: Any) -> JsonObject:
    """A laboratory result of a test that is named in text alone."""
    made = site.laboratory.result(patient, "85319-2", answer, **elements)
    identifier = f"{patient}-{len(site.server.versions)}"
    return {**made, "id": identifier, "code": {"text": text}, "category": LABORATORY}


def searched(site: Site, beginning: str) -> list[str]:
    return [
        call for call in site.server.calls if call.startswith(f"search Observation?{beginning}")
    ]


def coded(site: Site, patient: str = "coded", answer: str = "3+") -> None:
    """A coded result with a name and a category, on which searches can be tried."""
    site.laboratory.ihc(patient, answer, category=LABORATORY)


@pytest.mark.parametrize("text", ["HER2 IHC", "her-2/neu", "ERBB2", "c-erbB-2", "IHC Her-2"])
def test_a_result_named_in_text_alone_is_found_by_its_name(text: str) -> None:
    site = site_with(LaboratorySweep.OFF)
    coded(site)
    site.server.put(named(site, "anna", text))
    report = site.run()
    assert site.categories() == {"anna": "low", "coded": "positive"}
    assert any("from the left only" in words for words in report.warnings)


def test_code_and_component_are_one_search_where_it_is_proved() -> None:
    site = site_with(LaboratorySweep.OFF)
    coded(site)
    site.settle()
    site.server.calls.clear()
    site.run()
    asked = [call.partition("=")[0] for call in site.server.calls]
    assert asked == [
        "read_all 1",
        "search Observation?combo-code",
        "search Observation?combo-code:text",
        "search Observation?identifier",
        "search DiagnosticReport?_lastUpdated",
        "search Specimen?_lastUpdated",
        "search Patient?_lastUpdated",
    ]


@pytest.mark.parametrize("refuses", [False, True], ids=["finds-nothing", "refuses"])
def test_a_server_without_names_is_read_by_category_and_this_is_said(refuses: bool) -> None:
    site = site_with()
    coded(site)
    site.server.put(named(site, "anna", "HER2 IHC"))
    if refuses:
        site.server.refuse_search = lambda params: any(name in NAMES for name, _ in params)
    else:
        site.server.unsupported = NAMES
    report = site.run()
    assert site.categories() == {"anna": "low", "coded": "positive"}
    assert [words for words in report.warnings if "does not search tests by name" in words]
    assert all(words.endswith("unless its category is laboratory") for words in report.warnings)


@pytest.mark.parametrize("boasts", [False, True], ids=["says-so", "says-it-can"])
def test_a_server_without_names_and_category_says_that_results_are_missed(boasts: bool) -> None:
    site = site_with()
    coded(site)
    site.server.put(named(site, "anna", "HER2 IHC"))
    capability = site.server.capability()
    site.server.unsupported = NAMES | {"category"}
    if boasts:
        site.server.capability = lambda: capability  # type: ignore[method-assign]
    report = site.run()
    assert site.categories() == {"coded": "positive"}
    said = " ".join(report.warnings)
    assert "by category: not used" in said
    assert "that no known code names is missed" in said


@pytest.mark.parametrize("ignored", [NAMES, frozenset({"category"})], ids=["names", "category"])
def test_a_parameter_that_the_server_ignores_is_never_used(ignored: frozenset[str]) -> None:
    site = site_with(LaboratorySweep.ON)
    coded(site)
    site.server.ignored = ignored
    site.run()
    site.run(full_sweep=True)
    used = [call for call in site.server.calls if any(f"?{name}=" in call for name in ignored)]
    assert used
    assert all(NOWHERE in call for call in used)


def test_a_parameter_that_the_server_says_it_left_out_is_never_used() -> None:
    site = site_with(LaboratorySweep.OFF, LeavesNamesOut(FakeClock()))
    coded(site)
    report = site.run()
    assert site.categories() == {"coded": "positive"}
    assert any("does not search tests by name" in words for words in report.warnings)


class LeavesNamesOut(FakeFhirServer):
    """Says in its answer that it did not look at names; the client refuses such an answer."""

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        if any(name in NAMES for name, _ in params):
            raise ParameterDropped("the server left the search parameter out")
        return super().search(resource_type, params)


def test_names_that_could_not_be_tried_are_used_and_this_is_said() -> None:
    site = site_with(LaboratorySweep.OFF)
    site.server.put({**site.laboratory.result("coded", "85319-2", "3+"), "code": NAMELESS})
    site.server.put(named(site, "anna", "HER2 IHC"))
    report = site.run()
    assert site.categories() == {"anna": "low", "coded": "positive"}
    assert any("could not be tried" in words for words in report.warnings)


def test_names_are_tried_on_another_test_of_the_patient() -> None:
    site = site_with()
    site.server.put({**site.laboratory.result("anna", "85319-2", "3+"), "code": NAMELESS})
    site.server.put(named(site, "anna", "Ki-67 proliferation index"))
    assert not site.run().warnings


def test_a_server_that_compares_any_part_of_a_name_needs_no_laboratory_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = site_with()
    coded(site)
    contains = "tests.fakes.search._is_beginning"
    monkeypatch.setattr(contains, lambda text, wanted: any(one in text for one in wanted))
    site.server.put(named(site, "anna", "PP Her2"))
    report = site.run()
    assert (report.fetched, report.warnings) == (2, ())
    assert not searched(site, "category=laboratory")


@pytest.mark.parametrize("says_total", [True, False], ids=["too-many", "no-total"])
def test_more_laboratory_results_than_are_read_unasked_are_left_and_this_is_said(
    says_total: bool,
) -> None:
    site = site_with()
    coded(site)
    site.server.put(named(site, "anna", "Breast HER2"))
    site.server._total = (  # type: ignore[method-assign]
        lambda _: MOST_UNASKED + 1 if says_total else None
    )
    report = site.run()
    assert site.categories() == {"coded": "positive"}
    assert any("poll.laboratory_sweep" in words for words in report.warnings)


@pytest.mark.parametrize("scope", ["sweep", "changed", "patient"])
def test_with_laboratory_results_read_a_name_of_any_form_is_found_in_every_scope(
    scope: str,
) -> None:
    site = site_with(LaboratorySweep.ON)
    coded(site)
    if scope == "changed":
        site.settle()
    site.server.put(named(site, "anna", "Breast IHC HER2"))
    site.server.put(named(site, "anna", "Hemoglobin", "12"))
    report = site.run(patients=["anna"] if scope == "patient" else None)
    assert site.categories()["anna"] == "low"
    assert report.outcomes["used"] == report.fetched - report.outcomes.get("ignored", 0)
    kinds = {"sweep": PassKind.SWEEP, "changed": PassKind.INCREMENTAL}
    assert report.kind is kinds.get(scope, PassKind.PATIENTS)


def test_laboratory_results_that_are_no_candidates_move_the_watermark_all_the_same() -> None:
    site = site_with(LaboratorySweep.ON)
    coded(site)
    site.settle()
    site.clock.advance(hours=20)
    site.server.put(named(site, "anna", "Hemoglobin", "12"))
    now = site.clock.now()
    assert site.run().patients == 0
    assert site.store.watermarks["Observation"] == now


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_what_is_around_a_result_found_by_name_comes_along(sweep: bool) -> None:
    site = site_with(LaboratorySweep.OFF)
    results = [
        {**named(site, "anna", "HER2 IHC", "2+"), "id": "ihc"},
        {**named(site, "anna", "HER2 FISH", "Amplified"), "id": "fish"},
    ]
    for one in results:
        del one["specimen"], one["effectiveDateTime"]
    listed = [{"reference": site.server.put(one)} for one in results]
    site.server.put(
        {
            "resourceType": "DiagnosticReport",
            "id": "report",
            "status": "final",
            "subject": {"reference": "Patient/anna"},
            "result": listed,
        }
    )
    site.run() if sweep else site.run(patients=["anna"])
    assert category_of(site.only()) == "positive"


def test_our_own_results_are_counted_once_however_often_they_are_found() -> None:
    site = site_with(LaboratorySweep.ON)
    site.server.put(named(site, "anna", "HER2 IHC"))
    site.settle()
    report = site.run(full_sweep=True)
    assert report.outcomes == {"used": 1, "ignored": 1}


@pytest.mark.parametrize("system", ["LOINC", "urn:oid:2.16.840.1.113883.6.1", "https://loinc.org"])
def test_a_code_is_found_under_any_name_of_its_system(system: str) -> None:
    site = site_with(LaboratorySweep.OFF)
    one = site.laboratory.result("anna", "85319-2", "1+")
    site.server.put({**one, "code": {"coding": [{"system": system, "code": "85319-2"}]}})
    site.run()
    assert site.categories() == {"anna": "low"}


def test_a_code_of_another_system_is_no_candidate() -> None:
    site = site_with(LaboratorySweep.OFF)
    coded(site)
    one = site.laboratory.result("anna", "85319-2", "1+")
    site.server.put({**one, "code": {"coding": [{"system": "urn:other", "code": "85319-2"}]}})
    assert site.run().fetched == 1


class KnowsNoCodeAlone(FakeFhirServer):
    """Finds nothing by a code that is given without its system."""

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        asked = [
            (name, _with_systems(value) if name in ("code", "combo-code") else value)
            for name, value in params
        ]
        return super().search(resource_type, asked)


def _with_systems(value: str) -> str:
    return ",".join(token for token in value.split(",") if "|" in token)


def test_a_server_that_knows_no_code_alone_is_asked_by_system_and_this_is_said() -> None:
    site = site_with(LaboratorySweep.OFF, KnowsNoCodeAlone(FakeClock()))
    site.laboratory.ihc("anna", "1+")
    report = site.run()
    assert site.categories() == {"anna": "low"}
    assert any("without its system" in words for words in report.warnings)


def test_a_server_that_says_nothing_of_itself_is_asked_by_code_and_by_name() -> None:
    site = site_with()
    capability = Capability("4.0.1", "silent")
    site.server.capability = lambda: capability  # type: ignore[method-assign]
    coded(site)
    site.server.put(named(site, "anna", "HER2 IHC"))
    site.run()
    assert site.categories() == {"anna": "low", "coded": "positive"}


def test_only_codes_with_a_check_digit_are_asked_for_alone() -> None:
    wanted = Wanted.of(catalogue())
    assert {"85319-2", "http://cap.org/eCC|79483", "https://cap.org/eCC|79483"} <= {*wanted.tokens}
    assert "79483" not in wanted.tokens
    assert f"{LOINC}|85319-2" in wanted.codes


def test_a_sites_own_code_is_asked_for_under_every_name_of_its_system(tmp_path: Path) -> None:
    made = site_map("test-roles", ("urn:lab", "1,2", "ihc"), code_system="her2-test-role")
    folder = site_toml(overlay(tmp_path, made), '[code_systems]\n"lab|9" = "urn:lab"')
    wanted = Wanted.of(catalogue(), load_catalogue(overlays=[folder]))
    assert {r"urn:lab|1\,2", r"lab\|9|1\,2", "85319-2"} <= {*wanted.tokens}


def test_what_parts_values_is_escaped() -> None:
    assert escaped("a,b|c$d\\e") == r"a\,b\|c\$d\\e"
    assert token("urn:x", "H2,1") == r"urn:x|H2\,1"
    assert token("", "85319-2") == "85319-2"


class OnePatient(FakeFhirServer):
    """Heeds one patient of a list: the first, or none because it takes the list for one id."""

    heeds = "first"

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        return super().search(
            resource_type, [(name, self._heeded(name, text)) for name, text in params]
        )

    def _heeded(self, name: str, text: str) -> str:
        if name not in ("patient", "subject") or "," not in text:
            return text
        return text.partition(",")[0] if self.heeds == "first" else "Patient/none"


@pytest.mark.parametrize("heeds", ["first", "none"])
@pytest.mark.parametrize("patients", [1, 3])
def test_a_server_that_heeds_one_patient_of_a_list_is_asked_for_each_alone(
    heeds: str, patients: int
) -> None:
    server = OnePatient(FakeClock())
    server.heeds = heeds
    site = Site(server=server)
    for name in ("anna", "berta", "clara")[:patients]:
        site.laboratory.ihc(name, "2+")
    site.settle()
    for name in ("anna", "berta", "clara"):
        site.laboratory.ihc(name, "3+")
    report = site.run()
    assert report.kind is PassKind.INCREMENTAL
    assert site.categories() == dict.fromkeys(("anna", "berta", "clara"), "positive")
    assert any("several patients" in words for words in report.warnings)


def test_a_server_that_heeds_lists_is_asked_by_list() -> None:
    site = Site()
    site.laboratory.ihc("anna", "2+")
    assert not any("several patients" in words for words in site.settle().warnings)

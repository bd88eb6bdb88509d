"""Protects the derived Observation: what a hospital finds in its records, to the letter.

Golden files hold every kind of answer whole; the tests beside them name the rules one by one, so
that a golden file cannot be "updated" past one of them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fhir.resources.R4B.observation import Observation

from adapter.fhir.identity import fingerprint
from adapter.fhir.record.derive import derive, record_id, sources_used, withdraw
from adapter.fhir.record.narrative import DISCLAIMER
from adapter.fhir.record.provenance import check_record
from adapter.fhir.strict_json import canonical, read_json, write_json
from adapter.her2.model import (
    Category,
    IhcResult,
    IhcScore,
    IshResult,
    Reason,
    ResultStatus,
    ResultWord,
)
from adapter.terminology.systems import BASE, CASE_IDENTIFIER_SYSTEM
from tests.unit.fhir.golden import FOLDER, golden_records
from tests.unit.fhir.record_builders import (
    ANSWERS,
    IHC,
    ISH,
    LATER,
    LINK,
    Json,
    answer,
    as_stored,
    case,
    component,
    context,
    facts,
    ihc_only,
    number,
    observation,
    record,
    sources_of,
)

GOLDEN = golden_records()
OBSERVATIONS = {
    name: resource
    for name, resources in GOLDEN.items()
    for resource in resources
    if resource["resourceType"] == "Observation"
}
WITHDRAWN = Reason("no-usable-result", "No usable result is left.")
SETTLED, OPEN = answer(), ihc_only(Category.EQUIVOCAL, "2+")


def _read_golden(path: Path) -> bytes:
    wrapped = b'{"resources": ' + path.read_bytes() + b"}"
    return canonical(read_json(wrapped)["resources"])


@pytest.mark.parametrize("name", GOLDEN)
def test_the_record_is_the_golden_one(name: str) -> None:
    assert canonical(GOLDEN[name]) == _read_golden(FOLDER / f"{name}.json")


def test_every_golden_file_is_held_by_a_test() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(GOLDEN)


def test_every_category_that_is_written_has_a_golden_record() -> None:
    held = {one.category for one in ANSWERS.values()}
    assert held == {category for category in Category if category.is_written}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_golden_record_is_valid_fhir(name: str) -> None:
    assert [check_record(resource) for resource in GOLDEN[name]] == [[]] * len(GOLDEN[name])


def _shortened(value: object) -> object:
    """The same JSON with decimals as fhir.resources writes them (2.00 becomes 2.0)."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_the_dict_that_is_sent_is_what_the_model_understood(name: str) -> None:
    model = Observation.model_validate(OBSERVATIONS[name])
    dumped = json.loads(model.model_dump_json(exclude_none=True))
    for resource in (dumped, sent := json.loads(json.dumps(_shortened(OBSERVATIONS[name])))):
        resource.pop("issued")  # the model writes the same instant with another number of digits
        resource.pop("effectiveDateTime", None)
    assert dumped == sent


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_the_record_is_never_taken_for_a_laboratory_result(name: str) -> None:
    made = OBSERVATIONS[name]
    assert made["identifier"] == [
        {"system": CASE_IDENTIFIER_SYSTEM, "value": record_id(case(), context())}
    ]
    assert made["meta"]["tag"] == [{"system": f"{BASE}/CodeSystem/her2-adapter", "code": "derived"}]
    assert made["performer"] == [{"reference": "Organization/lab"}]
    assert made["device"] == {"reference": "Device/her2-adapter-1.0.0"}
    assert made["category"][1]["text"] == "Derived by rule, not reported by a laboratory"
    assert made["method"]["text"] == "asco-cap-2023"
    assert made["code"]["text"] == "HER2 category, derived by rule"
    assert made["note"][-1]["text"] == DISCLAIMER
    assert "not verified by a pathologist" in DISCLAIMER
    assert "the laboratory's report is the result of record" in DISCLAIMER
    assert all("author" not in note for note in made["note"])
    assert {"dataAbsentReason", "encounter", "basedOn"}.isdisjoint(made)


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_components_use_our_own_codes_and_no_laboratory_code(name: str) -> None:
    systems = [
        coding["system"]
        for part in OBSERVATIONS[name]["component"]
        for coding in part["code"]["coding"]
    ]
    assert set(systems) == {f"{BASE}/CodeSystem/her2-component"}
    codes = {part["code"]["coding"][0]["code"] for part in OBSERVATIONS[name]["component"]}
    assert {"rule", "review"} <= codes


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_the_category_is_always_in_the_value_our_code_first(name: str) -> None:
    value = OBSERVATIONS[name]["valueCodeableConcept"]
    assert value["coding"][0]["system"] == f"{BASE}/CodeSystem/her2-category"
    assert value["text"]


def test_without_an_organization_there_is_no_performer() -> None:
    assert "performer" not in record(organization=None)


@pytest.mark.parametrize(
    ("stands", "now", "corrected", "expected"),
    [
        (None, SETTLED, False, "final"),
        (None, OPEN, False, "preliminary"),
        (None, SETTLED, True, "final"),
        ("preliminary", OPEN, False, "preliminary"),
        ("preliminary", SETTLED, False, "final"),
        ("preliminary", SETTLED, True, "final"),
        ("final", SETTLED, False, "amended"),
        ("final", OPEN, False, "amended"),
        ("final", SETTLED, True, "corrected"),
        ("amended", SETTLED, False, "amended"),
        ("amended", OPEN, True, "corrected"),
        ("corrected", SETTLED, False, "amended"),
        ("corrected", SETTLED, True, "corrected"),
        ("entered-in-error", SETTLED, False, "amended"),
        ("entered-in-error", OPEN, True, "amended"),
        ("cancelled", SETTLED, False, "amended"),
    ],
)
def test_the_status_depends_on_what_stands_and_what_the_case_is_now(
    stands: str | None, now: object, corrected: bool, expected: str
) -> None:
    existing = None if stands is None else as_stored({**record(), "status": stands})
    status = ResultStatus.CORRECTED if corrected else ResultStatus.FINAL
    made = record(now, of=case(status=status), existing=existing)  # type: ignore[arg-type]
    assert made["status"] == expected


def test_a_corrected_source_that_was_not_used_does_not_make_the_record_corrected() -> None:
    other = case("Observation/other", status=ResultStatus.CORRECTED)
    of = case(evidence=(*case(IHC).evidence, *other.evidence))
    made = record(ihc_only(Category.LOW, "1+"), of=of, existing=as_stored(record()))
    assert made["status"] == "amended"


def test_a_later_version_keeps_the_id_that_stands_on_the_server() -> None:
    existing = {**as_stored(record()), "id": "given-by-the-server"}
    made = record(existing=existing)
    assert made["id"] == "given-by-the-server"
    assert made["identifier"][0]["value"] == record()["id"]


@pytest.mark.parametrize("category", [Category.NO_RESULT, Category.NOT_APPLICABLE])
def test_an_answer_that_is_not_written_is_refused(category: Category) -> None:
    with pytest.raises(ValueError, match="withdraw"):
        record(answer(category))


def test_numbers_keep_the_digits_the_laboratory_gave() -> None:
    used = IshResult(ratio=number("2.00"), her2_copies=number("4"), cep17_copies=number("2.10"))
    written = write_json(record(answer(ish_used=used)))
    assert b'"valueQuantity":{"value":2.00,' in written
    assert b'"valueQuantity":{"value":4,"unit":"copies/cell"' in written
    assert b'"valueQuantity":{"value":2.10,"unit":"copies/cell"' in written
    assert b"ratio 2.00" in written


def test_a_bound_and_a_range_stay_what_they_were() -> None:
    used = IshResult(her2_copies=number("6.0", ">"), ratio=number("1.8", upper="2.2"))
    made = record(answer(ish_used=used))
    copies = component(made, "her2-copies-used")[0]["valueQuantity"]
    assert (copies["value"], copies["comparator"]) == (Decimal("6.0"), ">")
    ratio = component(made, "ratio-used")[0]["valueRange"]
    assert (ratio["low"]["value"], ratio["high"]["value"]) == (Decimal("1.8"), Decimal("2.2"))
    assert ratio["low"]["code"] == "1"


@pytest.mark.parametrize(
    ("stated", "text", "code"),
    [
        (IhcResult((IhcScore.ONE_PLUS,)), "1+", "1+"),
        (IhcResult((IhcScore.ONE_PLUS, IhcScore.TWO_PLUS)), "1+ to 2+", None),
        (IhcResult(word=ResultWord.NEGATIVE), "negative", "negative"),
        (IhcResult((IhcScore.TWO_PLUS,), word=ResultWord.EQUIVOCAL), "2+", "2+"),
        (IhcResult(word=ResultWord.NOT_DONE), "not done", "not-done"),
    ],
)
def test_the_ihc_result_used_is_shown_as_stated(
    stated: IhcResult, text: str, code: str | None
) -> None:
    value = component(record(answer(ihc_used=stated)), "ihc-score-used")[0]["valueCodeableConcept"]
    assert value["text"] == text
    assert [coding["code"] for coding in value.get("coding", [])] == ([code] if code else [])


@pytest.mark.parametrize(
    "classification",
    [answer(ihc_used=None), answer(ihc_used=IhcResult(off_scale=True))],
    ids=["no IHC", "no score on the scale"],
)
def test_a_component_without_a_value_is_left_out(classification: object) -> None:
    made = record(classification)  # type: ignore[arg-type]
    assert component(made, "ihc-score-used") == []
    assert component(record(answer(ish_used=IshResult())), "ish-result-used") == []


def test_review_and_its_reasons_are_components_and_stand_in_the_note() -> None:
    reasons = (Reason("first", "The first sentence."), Reason("second", "The second sentence."))
    not_joined = Reason("not-joined", "Another result may belong to it.")
    of = case(join_reasons=(not_joined, reasons[1]))
    made = record(answer(review=True, reasons=reasons), of=of)
    assert component(made, "review")[0]["valueBoolean"] is True
    codes = [part["valueString"] for part in component(made, "review-reason")]
    assert codes == ["first", "second", "not-joined"]
    assert made["note"][1]["text"] == (
        "Review: The first sentence. The second sentence. Another result may belong to it."
    )


def test_a_reason_without_review_is_a_remark_and_no_component() -> None:
    made = record(answer(reasons=(Reason("staining-not-stated", "Staining was not stated."),)))
    assert component(made, "review")[0]["valueBoolean"] is False
    assert component(made, "review-reason") == []
    assert made["note"][1]["text"] == "Remark: Staining was not stated."


def test_a_person_s_link_stands_in_the_note_and_makes_another_fingerprint() -> None:
    alone, joined, other = (
        record(of=case(joined_by=links))
        for links in ((), (LINK,), (replace(LINK, by="Dr B. Example"),))
    )
    assert joined["note"][-2]["text"] == f"Joined by a person: {LINK.sentence}"
    assert len({fingerprint(one) for one in (alone, joined, other)}) == 3


def test_markup_in_a_person_s_words_is_escaped_in_the_narrative() -> None:
    made = record(of=case(joined_by=(replace(LINK, because="<script>"),)))
    assert "&lt;script&gt;" in made["text"]["div"]
    assert "<script>" not in made["text"]["div"]


@pytest.mark.parametrize("name", ["pending-ihc", "needs-review"])
def test_a_pending_result_has_no_interpretation(name: str) -> None:
    assert "interpretation" not in OBSERVATIONS[name]
    assert component(OBSERVATIONS[name], "asco-cap-status") == []


def test_negative_beside_low_is_explained() -> None:
    assert record()["interpretation"][0]["text"] == "HER2-negative by ASCO/CAP 2023"
    assert record()["valueCodeableConcept"]["text"] == "HER2-low"


@pytest.mark.parametrize(("snomed", "codings"), [(False, 1), (True, 2)])
def test_snomed_is_written_only_when_asked_for(snomed: bool, codings: int) -> None:
    assert len(record(snomed=snomed)["valueCodeableConcept"]["coding"]) == codings


def test_profiles_are_written_only_when_set() -> None:
    assert "profile" not in record()["meta"]
    assert record(profiles=("http://site/p",))["meta"]["profile"] == ["http://site/p"]


def test_markup_in_any_text_is_escaped_in_the_narrative() -> None:
    evil = Reason("evil", "<script>alert('x')</script> & \x07 done")
    made = record(answer(review=True, reasons=(evil,), limits=(evil,), comments=(evil,)))
    assert "<script" not in made["text"]["div"]
    tree = ElementTree.fromstring(made["text"]["div"])
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} == {
        *("div", "p", "b", "table", "tbody", "tr", "th", "td")
    }
    assert "<script>alert('x')</script> & \ufffd done" in "".join(tree.itertext())


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_every_result_names_its_sources_unless_nothing_is_left_of_them(name: str) -> None:
    assert OBSERVATIONS[name]["derivedFrom"]


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_every_narrative_is_well_formed_xhtml(name: str) -> None:
    tree = ElementTree.fromstring(OBSERVATIONS[name]["text"]["div"])
    assert tree.tag == "{http://www.w3.org/1999/xhtml}div"
    assert OBSERVATIONS[name]["text"]["status"] == "generated"


def test_an_answer_from_a_preliminary_result_alone_still_names_it() -> None:
    of = case(IHC, status=ResultStatus.PRELIMINARY)
    pending = ihc_only(Category.PENDING_IHC, "2+", used=(), asco_cap=None)
    assert sources_used(of, pending) == (IHC,)
    assert record(pending, of=of)["derivedFrom"] == [{"reference": IHC}]


def test_only_a_result_that_was_not_used_may_lack_its_facts() -> None:
    of = case(IHC, ISH, status=ResultStatus.PRELIMINARY)
    pending = ihc_only(Category.PENDING_IHC, "2+", used=(), asco_cap=None)
    made = record(pending, of=of, sources=facts(observation(ISH)))
    assert made["derivedFrom"] == [{"reference": IHC}, {"reference": ISH}]
    with pytest.raises(KeyError):
        record(answer(), sources=facts(observation(ISH)))


def test_withdrawing_understands_absolute_references() -> None:
    stored = as_stored(record())
    stored["derivedFrom"] = [{"reference": f"http://fhir.local/r4/{one}"} for one in (IHC, ISH)]
    gone = withdraw(stored, reason=WITHDRAWN, context=context(), gone={ISH})
    assert gone["derivedFrom"] == [{"reference": f"http://fhir.local/r4/{IHC}"}]


def test_a_source_entered_in_error_is_never_named() -> None:
    of = case(IHC, status=ResultStatus.ENTERED_IN_ERROR)
    assert sources_used(of, answer(used=())) == ()


def test_derived_from_does_not_depend_on_the_order_of_arrival() -> None:
    turned = record(answer(used=(ISH, IHC)), of=case(ISH, IHC))
    assert write_json(turned) == write_json(record())
    assert turned["derivedFrom"] == [{"reference": IHC}, {"reference": ISH}]


def _derived_from(*observations: Json, specimen: Json | None = None) -> Json:
    return record(sources=facts(*observations, specimen=specimen))


def test_the_collection_time_of_the_specimen_comes_first() -> None:
    assert record()["effectiveDateTime"] == "2026-01-05T10:00:00+01:00"


def test_without_collection_time_the_earliest_effective_of_the_sources_counts() -> None:
    made = _derived_from(observation(IHC), observation(ISH, effectiveDateTime="2026-01"))
    assert made["effectiveDateTime"] == "2026-01"


def test_without_any_time_there_is_no_effective() -> None:
    made = _derived_from(
        observation(IHC, effectiveDateTime=None), observation(ISH, effectiveDateTime=None)
    )
    assert not any(name.startswith("effective") for name in made)


@pytest.mark.parametrize(
    ("of_ish", "expected"),
    [
        ({"specimen": {"reference": "Specimen/s1"}}, {"reference": "Specimen/s1"}),
        ({"specimen": {"reference": "http://fhir.local/r4/Specimen/s1"}}, None),
        ({"specimen": {"reference": "Specimen/s2"}}, None),
        ({"specimen": None}, None),
        ({"specimen": {"reference": "#s1"}}, None),
    ],
    ids=["same", "of another server", "another", "none", "contained"],
)
def test_the_specimen_is_written_when_all_sources_agree(
    of_ish: Json, expected: Json | None
) -> None:
    made = _derived_from(observation(IHC), observation(ISH, **of_ish))
    assert made.get("specimen") == expected


@pytest.mark.parametrize(
    ("of_ihc", "of_ish", "expected"),
    [
        (["Condition/c"], ["Condition/c"], ["Condition/c"]),
        (
            ["Condition/a", "Condition/b"],
            ["Condition/b", "Condition/a"],
            ["Condition/a", "Condition/b"],
        ),
        (["Condition/a"], ["Condition/b"], None),
        (["Condition/a"], None, None),
        (["Condition/a", "#x"], ["Condition/a", "#x"], None),
        (None, None, None),
    ],
    ids=["same", "other order", "different", "one without", "contained", "none"],
)
def test_focus_is_written_when_all_sources_agree(
    of_ihc: list[str] | None, of_ish: list[str] | None, expected: list[str] | None
) -> None:
    def focus(references: list[str] | None) -> Json:
        return {"focus": references and [{"reference": one} for one in references]}

    made = _derived_from(observation(IHC, **focus(of_ihc)), observation(ISH, **focus(of_ish)))
    assert made.get("focus") == (expected and [{"reference": one} for one in expected])


def test_withdrawing_keeps_the_value_and_says_so() -> None:
    stored = as_stored(record(), "4")
    gone = withdraw(stored, reason=WITHDRAWN, context=context(now=LATER))
    assert gone["status"] == "entered-in-error"
    assert gone["id"] == stored["id"]
    assert gone["identifier"] == stored["identifier"]
    assert "withdrawn" in gone["text"]["div"]
    assert WITHDRAWN.sentence in gone["note"][0]["text"]
    assert gone["issued"] != stored["issued"]
    for name in ("valueCodeableConcept", "component", "derivedFrom", "subject", "interpretation"):
        assert gone[name] == stored[name]
    assert gone["meta"] == record()["meta"]
    assert check_record(gone) == []
    assert fingerprint(gone) != fingerprint(stored)


def test_withdrawing_leaves_out_sources_that_the_server_no_longer_has() -> None:
    gone = withdraw(as_stored(record()), reason=WITHDRAWN, context=context(), gone={ISH})
    assert gone["derivedFrom"] == [{"reference": IHC}]
    none_left = withdraw(as_stored(record()), reason=WITHDRAWN, context=context(), gone={IHC, ISH})
    assert "derivedFrom" not in none_left
    assert check_record(none_left) == []


def test_withdrawing_drops_what_others_added_and_keeps_the_related_condition() -> None:
    full = GOLDEN["low-everything"][0]
    foreign = {"url": "http://vendor", "valueString": "x"}
    stored = {**as_stored(full), "extension": [foreign, *full["extension"]], "encounter": {}}
    gone = withdraw(stored, reason=WITHDRAWN, context=context())
    assert gone["extension"] == full["extension"]
    assert "encounter" not in gone
    assert gone["effectivePeriod"] == full["effectivePeriod"]


def test_a_record_without_our_identifier_is_withdrawn_under_its_own_id() -> None:
    stored = {**as_stored(record()), "id": "copy-1"}
    del stored["identifier"]
    gone = withdraw(stored, reason=WITHDRAWN, context=context())
    assert gone["identifier"][0]["value"] == "copy-1"


def test_equal_input_gives_equal_bytes() -> None:
    assert write_json(record()) == write_json(record())
    classification = ANSWERS["positive-discordant"]
    made = [
        derive(
            case(),
            classification,
            facts=sources_of(classification),
            existing=None,
            context=context(),
        )
        for _ in range(2)
    ]
    assert canonical(made[0]) == canonical(made[1])

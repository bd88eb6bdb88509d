"""`$her2-derive` without HTTP: the answer of the command `derive`, and refusals that quote nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome

from adapter.bootstrap import catalogue_of, context_of, links_of, policy_of
from adapter.errors import InputError
from adapter.fhir.strict_json import read_json, write_json
from adapter.offline.answers import answer
from adapter.offline.operation import MOST_PLACES, DerivedBundle, Rules, derive_bundle
from adapter.offline.reading import read_documents
from adapter.offline.record import derived_collection, derived_transaction
from adapter.settings import Settings

FIXTURES = Path(__file__).parents[3] / "fixtures"
INPUTS = sorted([*FIXTURES.glob("*/input.json"), *FIXTURES.glob("*/later.json")])
NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
LOW = (FIXTURES / "ihc-2-plus-fish-negative" / "input.json").read_bytes()
CANARY = "Zebedee-canary"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def rules() -> Rules:
    settings = Settings()
    catalogue = catalogue_of(settings)
    return Rules(catalogue, context_of(settings, catalogue, NOW), links_of(settings))


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def bundle(*resources: Any, kind: str = "collection") -> Json:
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [{"resource": one} for one in resources],
    }


def low() -> list[Json]:
    return [entry["resource"] for entry in json.loads(LOW)["entry"]]


def posted(value: object) -> bytes:
    return json.dumps(value).encode()


def resources(given: DerivedBundle, kind: str) -> list[Json]:
    found = [entry["resource"] for entry in json.loads(given.content).get("entry", [])]
    return [one for one in found if one["resourceType"] == kind]


def issues(given: DerivedBundle) -> list[Json]:
    [outcome] = resources(given, "OperationOutcome")
    OperationOutcome.model_validate(outcome)
    found: list[Json] = outcome["issue"]
    return found


def without_outcome(content: bytes) -> bytes:
    made = read_json(content)
    kept = [e for e in made.get("entry", []) if e["resource"]["resourceType"] != "OperationOutcome"]
    made.pop("entry", None)
    return write_json({**made, "entry": kept} if kept else made)


def refusal(rules: Rules, body: bytes, *, complete: bool | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        derive_bundle(body, rules, complete=complete)
    return caught.value


@pytest.mark.parametrize("file", INPUTS, ids=named)
@pytest.mark.parametrize("complete", [False, True], ids=["collection", "transaction"])
def test_the_answer_is_that_of_the_command(rules: Rules, file: Path, complete: bool) -> None:
    settings = Settings()
    documents = read_documents(file.read_bytes(), "a file").documents
    answers = answer(documents, rules.catalogue, policy_of(settings))
    made = (derived_transaction if complete else derived_collection)(answers, rules.context)

    given = derive_bundle(file.read_bytes(), rules, complete=complete)

    assert without_outcome(given.content) == write_json(made.bundle)
    Bundle.model_validate(json.loads(given.content))


@pytest.mark.parametrize("file", INPUTS, ids=named)
def test_every_result_is_counted(rules: Rules, file: Path) -> None:
    given = derive_bundle(file.read_bytes(), rules)

    sent = [e["resource"]["resourceType"] for e in json.loads(file.read_bytes())["entry"]]
    outcomes = ("used", "not-her2", "not-applicable", "unreadable", "ignored", "no-result")
    assert given.counts["results"] == sent.count("Observation")
    assert sum(given.counts.get(name, 0) for name in outcomes) == given.counts["results"]


def test_the_same_bundle_gives_the_same_bytes(rules: Rules) -> None:
    body = posted(bundle(*low(), unreadable()))

    assert derive_bundle(body, rules) == derive_bundle(body, rules)


def unreadable(name: str = "odd") -> Json:
    """A HER2 result whose answer is no word of the vocabulary."""
    ihc = next(one for one in low() if one["id"].endswith("-ihc"))
    value = {"text": f"{CANARY} purple"}
    elsewhere = {"reference": "Patient/other"}
    specimen = {"reference": f"Specimen/{name}"}
    return {
        **ihc,
        "id": name,
        "subject": elsewhere,
        "valueCodeableConcept": value,
        "specimen": specimen,
    }


def test_a_bad_result_is_named_by_its_place_and_the_others_are_decided(rules: Rules) -> None:
    given = derive_bundle(posted(bundle(*low(), unreadable())), rules)

    [issue] = issues(given)
    assert (issue["severity"], issue["code"]) == ("warning", "processing")
    assert issue["expression"] == [f"Bundle.entry[{len(low())}].resource"]
    assert issue["details"]["text"]
    assert len(resources(given, "Observation")) >= 1
    assert (given.counts["used"], given.counts["unreadable"]) == (2, 1)
    assert CANARY not in given.content.decode()


def test_an_entry_that_is_no_resource_is_named_by_its_place(rules: Rules) -> None:
    broken = bundle(*low(), {"id": CANARY}, bundle(CANARY))
    given = derive_bundle(posted(broken), rules)

    assert [one["expression"] for one in issues(given)] == [
        [f"Bundle.entry[{len(low())}]"],
        [f"Bundle.entry[{len(low()) + 1}].resource.entry[0]"],
    ]
    assert given.counts["defects"] == 2
    assert CANARY not in given.content.decode()
    alone = derive_bundle(LOW, rules).content
    assert without_outcome(given.content) == alone


def test_places_are_counted_beside_entries_that_are_no_objects(rules: Rules) -> None:
    broken = bundle(unreadable())
    broken["entry"].insert(0, CANARY)
    given = derive_bundle(posted(broken), rules)

    assert [one["expression"] for one in issues(given)] == [
        ["Bundle.entry[0]"],
        ["Bundle.entry[1].resource"],
    ]


def test_a_sample_without_a_valid_record_is_told(rules: Rules) -> None:
    spoilt = replace(rules, context=replace(rules.context, profiles=("no url: at all",)))
    given = derive_bundle(LOW, spoilt)

    assert resources(given, "Observation") == []
    assert [one["details"]["text"] for one in issues(given)] == ["left-out"]
    assert given.counts["left-out"] == 1


def test_issues_are_bounded(rules: Rules) -> None:
    given = derive_bundle(posted(bundle(*({"id": str(n)} for n in range(MOST_PLACES + 7)))), rules)

    told = issues(given)
    assert len(told) == MOST_PLACES + 1
    assert told[-1]["diagnostics"].startswith("7 more")


def test_an_empty_bundle_derives_nothing(rules: Rules) -> None:
    given = derive_bundle(b'{"resourceType": "Bundle", "type": "collection"}', rules)

    assert json.loads(given.content) == {"resourceType": "Bundle", "type": "collection"}
    assert given.counts == {"results": 0, "derived": 0}


Asked = Callable[[Json], Json]


def parameters(*given: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": list(given)}


def of_bundle(value: Any) -> Json:
    return {"name": "bundle", "resource": value}


@pytest.mark.parametrize("complete", [None, False, True])
def test_parameters_ask_for_the_same(rules: Rules, complete: bool | None) -> None:
    said = [] if complete is None else [{"name": "complete", "valueBoolean": complete}]
    body = write_json(parameters(of_bundle(read_json(LOW)), *said))

    assert derive_bundle(body, rules) == derive_bundle(LOW, rules, complete=complete)


def test_complete_may_stand_beside_parameters(rules: Rules) -> None:
    body = write_json(parameters(of_bundle(read_json(LOW))))

    assert derive_bundle(body, rules, complete=True) == derive_bundle(LOW, rules, complete=True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b" \n", "empty", id="blanks"),
        pytest.param(b"{}", "not-a-bundle", id="object"),
        pytest.param(b'{"resourceType": "Observation"}', "not-a-bundle", id="another-resource"),
        pytest.param(b"[]", "not-an-object", id="array"),
        pytest.param(LOW + LOW, "trailing-text", id="two-documents"),
        pytest.param(LOW[:-9], "malformed-json", id="cut"),
        pytest.param(
            b'{"resourceType": "Bundle", "resourceType": "Bundle"}', "duplicate-key", id="key-twice"
        ),
        pytest.param(b'{"resourceType": "Bundle", "x": NaN}', "not-a-number", id="nan"),
        pytest.param(b'{"resourceType":"Bundle","a":' + b"[" * 99, "too-deep", id="deep"),
        pytest.param(
            b'{"resourceType": "Bundle", "entry": {}}', "entries-no-list", id="entry-is-object"
        ),
        pytest.param(
            b'{"resourceType": "Parameters", "parameter": {}}',
            "parameters-malformed",
            id="parameter-is-object",
        ),
        pytest.param(posted(parameters()), "no-bundle", id="no-bundle"),
        pytest.param(posted(parameters(of_bundle("x"))), "no-bundle", id="bundle-is-text"),
        pytest.param(
            posted(parameters(of_bundle({"resourceType": "Patient"}))),
            "not-a-bundle",
            id="parameter-of-another-type",
        ),
        pytest.param(
            posted(parameters(of_bundle({}), {"name": CANARY})),
            "unknown-parameter",
            id="unknown-parameter",
        ),
        pytest.param(
            posted(parameters(of_bundle({}), of_bundle({}))), "parameter-twice", id="bundle-twice"
        ),
        pytest.param(
            posted(parameters(of_bundle({}), {"name": "complete", "valueString": "true"})),
            "parameters-malformed",
            id="complete-is-text",
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused(rules: Rules, body: bytes, code: str) -> None:
    refused = refusal(rules, body)

    assert refused.code == code
    assert CANARY not in str(refused)


def test_complete_said_twice_is_refused(rules: Rules) -> None:
    body = posted(parameters(of_bundle(bundle()), {"name": "complete", "valueBoolean": True}))

    assert refusal(rules, body, complete=True).code == "parameter-twice"


def own(rules: Rules, **meta: str) -> Json:
    [one] = resources(derive_bundle(LOW, rules), "Observation")
    return {**one, "meta": {**one["meta"], **meta}}


def lost(rules: Rules) -> Mapping[str, Json]:
    ihc = next(one for one in low() if one["id"].endswith("-ihc"))
    rest = [one for one in low() if one is not ihc and one["id"] != ihc["id"]]
    return {
        "own-without-version": bundle(*low(), own(rules)),
        "not-complete": bundle(*rest, own(rules, versionId="7")),
    }


@pytest.mark.parametrize("code", ["own-without-version", "not-complete"])
def test_what_is_not_complete_is_refused_without_naming_anything(rules: Rules, code: str) -> None:
    refused = refusal(rules, posted(lost(rules)[code]), complete=True)

    assert refused.code == code
    assert "ihc-2-plus" not in str(refused)
    assert refused.__cause__ is None
    assert derive_bundle(posted(lost(rules)[code]), rules).counts["derived"] >= 1


def test_a_bundle_that_cannot_be_read_whole_is_not_complete(rules: Rules) -> None:
    assert refusal(rules, posted(bundle(*low(), {"id": "x"})), complete=True).code == "not-complete"


def test_one_page_of_several_is_not_complete(rules: Rules) -> None:
    page = bundle(*low(), kind="searchset")
    page["link"] = [{"relation": "self", "url": "x"}, {"relation": "next", "url": "y"}]

    assert refusal(rules, posted(page), complete=True).code == "not-complete"
    assert derive_bundle(posted(page), rules).counts["derived"] == 1


def test_what_stands_already_is_not_written_again(rules: Rules) -> None:
    stands = own(rules, versionId="7")
    given = derive_bundle(posted(bundle(*low(), stands)), rules, complete=True)

    assert json.loads(given.content) == {"resourceType": "Bundle", "type": "transaction"}
    assert given.counts["skip"] == 1

"""`mappings diff`: what a change reads differently, and the known cases that it alters; nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import Ended, Run, load, put
from tests.unit.terminology.mapping_sets import SITE, overlay, site_map, site_toml, site_words

LOCAL = f"{SITE}/CodeSystem/her2"
LOINC = "http://loinc.org"


def result(value: dict[str, Any], *, code: str = "85319-2", number: int = 1) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/p{number}"},
        "specimen": {"reference": f"Specimen/s{number}"},
        "valueCodeableConcept": value,
    }


def zero_plus_case(folder: Path) -> Path:
    file = folder / "zero-plus.json"
    file.write_text(json.dumps(result({"text": "0+"})))
    return file


def lines(ended: Ended, kind: str) -> list[dict[str, Any]]:
    return [line for line in ended.lines if line["kind"] == kind]


def test_without_an_overlay_nothing_differs(run: Run) -> None:
    ended = run("mappings", "diff")

    assert (ended.code, ended.out) == (0, "")
    assert "0 differences; 0 of 12 known samples would change" in ended.err


def test_a_local_code_alters_the_cases_that_hold_it(run: Run, tmp_path: Path) -> None:
    folder = overlay(tmp_path / "lab", site_map("ihc-answers", (LOCAL, "zwei", "2+")))
    cases = tmp_path / "export.ndjson"
    known = result({"coding": [{"system": LOCAL, "code": "zwei"}]})
    other = result({"text": "1+"}, number=2)
    cases.write_text("\n".join(map(json.dumps, (known, other))))

    ended = run("mappings", "diff", "lab", "--cases", cases)

    assert ended.code == 0
    [difference] = lines(ended, "difference")
    assert (difference["where"], difference["code"], difference["after"]) == (
        "ihc-answers",
        "zwei",
        "2+",
    )
    [altered] = lines(ended, "altered")
    assert (altered["cases"], altered["subject"], altered["sample"]) == (
        str(cases),
        "Patient/p1",
        "Specimen/s1",
    )
    assert (altered["before"], altered["after"]) == ("no-result", "equivocal")
    assert altered["rule_after"] == "ihc-2-plus-without-ish"
    assert altered["reasons_after"] == ["tumour-site-not-stated"]
    assert "1 difference; 1 of 14 known samples would change" in ended.err
    assert folder.is_dir()


def test_an_overridden_phrase_alters_shipped_examples(run: Run, tmp_path: Path) -> None:
    overlay(tmp_path / "lab", site_words("result", "indeterminate", "not amplified"))
    ended = run("mappings", "diff", HER2_SITE_MAPPINGS="lab")

    [difference] = lines(ended, "difference")
    assert (difference["before"], difference["after"]) == (
        "ish-result: negative",
        "result: indeterminate",
    )
    altered = {line["cases"]: line for line in lines(ended, "altered")}
    assert set(altered) == {"examples/ihc-2-plus-fish-negative"}
    [line] = altered.values()
    assert (line["before"], line["after"], line["review_after"]) == ("low", "needs-review", True)


def test_a_policy_of_the_site_is_a_difference(run: Run, tmp_path: Path) -> None:
    site_toml(tmp_path / "lab", '[policy]\nzero_plus = "zero"')
    case = zero_plus_case(tmp_path)
    ended = run("mappings", "diff", "lab", "--cases", case)

    [difference] = lines(ended, "difference")
    assert (difference["where"], difference["code"]) == ("policy", "zero_plus")
    assert (difference["before"], difference["after"]) == ("dated", "zero")
    [line] = lines(ended, "altered")
    assert (line["before"], line["after"]) == ("ultralow", "negative")
    # What is set explicitly counts before and after, so the folder changes nothing then.
    assert run("mappings", "diff", "lab", HER2_POLICY__ZERO_PLUS="dated").out == ""


def test_a_link_of_a_person_alters_what_it_joins(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "links.toml").write_text(
        '[[link]]\nfirst = "Specimen/s1"\nsecond = "Specimen/s2"\nby = "Dr A. Example"\n'
        'on = 2026-11-01\nbecause = "One tumour"\n'
    )
    ihc = result({"text": "2+"})
    fish = result({"text": "not amplified"}, code="85318-4", number=2)
    fish["subject"] = ihc["subject"]
    cases = tmp_path / "export.ndjson"
    cases.write_text("\n".join(map(json.dumps, (ihc, fish))))
    ended = run("mappings", "diff", "lab", "--cases", cases)

    [difference] = lines(ended, "difference")
    assert (difference["where"], difference["code"]) == ("links", "Specimen/s1 and Specimen/s2")
    assert (difference["before"], difference["after"]) == (None, "joined")
    changed = {(line["before"], line["after"]) for line in lines(ended, "altered")}
    assert ("equivocal", "low") in changed
    back = run("mappings", "diff", "--shipped", "--cases", cases, HER2_SITE_MAPPINGS="lab")
    assert lines(back, "altered")


def test_a_draft_is_compared_with_the_overlay_that_is_in_use(run: Run, tmp_path: Path) -> None:
    overlay(tmp_path / "now", site_map("ihc-answers", (LOCAL, "a", "1+"), (LOCAL, "b", "2+")))
    overlay(tmp_path / "draft", site_map("ihc-answers", (LOCAL, "a", "0")))
    in_use = {"HER2_SITE_MAPPINGS": "now"}

    def changes(*arguments: str) -> dict[str, tuple[Any, Any]]:
        ended = run("mappings", "diff", "draft", *arguments, **in_use)
        assert ended.code == 0
        return {one["code"]: (one["before"], one["after"]) for one in ended.lines}

    assert changes() == {"a": ("1+", "0"), "b": ("2+", None)}
    assert changes("--shipped") == {"a": (None, "0")}
    assert changes("--against", "draft") == {}
    assert run("mappings", "diff", "draft", "--shipped", "--against", "now").code == 2


def test_a_result_that_was_not_recognised_makes_a_sample(run: Run, tmp_path: Path) -> None:
    overlay(
        tmp_path / "lab",
        site_map("test-roles", (LOCAL, "H2", "ihc"), code_system="her2-test-role"),
    )
    local = result({"text": "3+"})
    local["code"] = {"coding": [{"system": LOCAL, "code": "H2"}]}
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "one.json").write_text(json.dumps(local))

    [altered] = lines(run("mappings", "diff", "lab", "--cases", "cases"), "altered")

    assert (altered["before"], altered["after"]) == (None, "positive")
    assert (altered["rule_before"], altered["reasons_before"]) == (None, None)


def test_a_files_that_is_no_fhir_ends_in_2_and_the_rest_is_shown(run: Run, tmp_path: Path) -> None:
    site_toml(tmp_path / "lab", '[policy]\nzero_plus = "zero"')
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.json").write_text("[]")
    (tmp_path / "cases" / "b.json").write_text(json.dumps(result({"text": "0+"})))
    ended = run("mappings", "diff", "lab", "--cases", "cases")

    assert ended.code == 2
    assert "a.json" in ended.err
    assert lines(ended, "altered")
    (tmp_path / "empty").mkdir()
    assert run("mappings", "diff", "lab", "--cases", "empty").code == 2


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_every_form_shows_both_halves(run: Run, tmp_path: Path, form: str) -> None:
    site_toml(tmp_path / "lab", '[policy]\nzero_plus = "zero"')
    case = zero_plus_case(tmp_path)
    shown = run("mappings", "diff", "lab", "--cases", case, "-o", form).out

    assert "zero_plus" in shown
    assert "ultralow" in shown


def test_patients_of_the_server_are_read_and_nothing_is_written(
    run: Run, tmp_path: Path, sandbox: Sandbox
) -> None:
    alias = "urn:lab:loinc"
    site_toml(
        tmp_path / "lab", f'[policy]\nzero_plus = "zero"\n[code_systems]\n"{alias}" = "{LOINC}"'
    )
    load(sandbox, "ihc-3-plus")
    renamed = result({"text": "2+"}, number=7)
    renamed["code"]["coding"][0]["system"] = alias
    for one in (result({"text": "0+"}), renamed):
        for kind in ("patient", "specimen"):
            put(sandbox, {"resourceType": kind.title(), "id": one["id"].replace("o", kind[0])})
        put(sandbox, one)
    before = sandbox.writes

    ended = run("mappings", "diff", "lab", "--server", HER2_FHIR_URL=sandbox.base_url)

    found = {one["subject"]: one for one in lines(ended, "altered") if one["cases"] == "server"}
    assert ended.code == 0
    assert {(one["before"], one["after"]) for one in found.values()} == {
        ("ultralow", "negative"),
        (None, "equivocal"),
    }
    assert found["Patient/p7"]["after"] == "equivocal"
    assert "of 15 known samples" in ended.err
    assert sandbox.writes == before
    few = run("mappings", "diff", "lab", "--server", "--limit", "1")
    assert "of 13 known samples" in few.err

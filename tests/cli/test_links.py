"""A person's links hold for files as for a server, and are named where they decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import Run, put
from tests.unit.terminology.mapping_sets import overlay, site_map

LOCAL = site_map("ihc-answers", ("urn:local", "A", "1+"))
TABLE = """
[[link]]
first = "Specimen/a"
second = "Specimen/b"
by = "Dr A. Example"
on = 2026-11-01
because = "FISH was done on the excision"
"""


def result(name: str, code: str, value: str, specimen: str) -> str:
    made = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/1"},
        "specimen": {"reference": f"Specimen/{specimen}"},
        "effectiveDateTime": "2026-01-10",
        "valueCodeableConcept": {"text": value},
    }
    return json.dumps(made) + "\n"


IHC = result("ihc", "85319-2", "2+", "a")
BOTH = IHC + result("fish", "85318-4", "Not amplified", "b")


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """The environment of a site whose overlay joins the two specimens."""
    folder = overlay(tmp_path / "overlay", LOCAL)
    (folder / "links.toml").write_text(TABLE, encoding="utf-8")
    return {"HER2_SITE_MAPPINGS": str(folder)}


def test_classify_joins_what_a_person_joined(run: Run, site: dict[str, str]) -> None:
    assert {line["category"] for line in run("classify", text=BOTH).lines} == {
        "equivocal",
        "negative-unspecified",
    }

    [line] = run("classify", text=BOTH, **site).lines

    assert (line["category"], line["review"]) == ("low", False)
    assert "joined-by-link" in line["reasons"]


def test_explain_says_that_a_person_joined_them_who_when_and_why(
    run: Run, site: dict[str, str]
) -> None:
    told = run("explain", "-o", "table", "-", text=BOTH, **site).out

    assert (
        "One sample because: a person joined them: Specimen/a and Specimen/b, "
        "by Dr A. Example on 2026-11-01: FISH was done on the excision"
    ) in " ".join(told.split())


def test_the_server_s_results_are_listed_as_likely_partners_then_joined_and_explained(
    run: Run, sandbox: Sandbox, site: dict[str, str]
) -> None:
    put(sandbox, {"resourceType": "Patient", "id": "1"})
    for specimen in ("a", "b"):
        put(sandbox, {"resourceType": "Specimen", "id": specimen})
    for text in BOTH.splitlines():
        put(sandbox, json.loads(text))
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    [row] = run("unmapped", "--kind", "likely-partner").lines
    assert (row["example"], row["partner"]) == ("Observation/ihc", "Observation/fish")
    assert 'first = "Specimen/a", second = "Specimen/b"' in row["suggestion"]

    run("sync", "--patient", "1", **site)

    assert run("unmapped", "--kind", "likely-partner").lines == []
    [told] = run("explain", "Observation/fish").lines
    assert (told["category"], told["key"]) == ("low", "specimen:Specimen/a")
    assert told["joined"].startswith("a person joined them: Specimen/a and Specimen/b, by Dr A.")


@pytest.mark.parametrize("options", [[], ["--complete"]], ids=["collection", "transaction"])
def test_derive_writes_the_link_into_provenance(
    run: Run, site: dict[str, str], options: list[str]
) -> None:
    bundle = json.loads(run("derive", *options, text=BOTH, **site).out)

    written: dict[str, Any] = {
        entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]
    }
    [reason] = written["Provenance"]["reason"]
    assert "by Dr A. Example on 2026-11-01" in reason["text"]
    assert len(bundle["entry"]) == 3


@pytest.mark.parametrize(
    "command", [["classify"], ["derive"], ["explain", "-o", "json", "-"]], ids=lambda one: one[0]
)
def test_a_link_that_leads_half_way_is_told_on_stderr(
    run: Run, site: dict[str, str], command: list[str]
) -> None:
    ended = run(*command, text=IHC, **site)

    assert ended.code == 0
    assert "link of Specimen/a and Specimen/b not used: Only one of the two" in ended.err


@pytest.mark.parametrize("command", [["classify"], ["derive"], ["explain", "-"]], ids=str)
def test_a_table_of_links_with_a_defect_is_refused_whole(
    run: Run, site: dict[str, str], command: list[str]
) -> None:
    folder = Path(site["HER2_SITE_MAPPINGS"])
    (folder / "links.toml").write_text(TABLE.replace("Specimen/b", "?"), encoding="utf-8")

    ended = run(*command, text=BOTH, **site)

    assert (ended.code, ended.out) == (2, "")
    assert "links.toml: link 1: second: not Observation/<id> or Specimen/<id>" in ended.err

"""From a row of the worklist to a mapping, on the command line; a refusal writes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter.ports import WorklistEntry, WorklistKind
from adapter.sandbox.server import Sandbox
from adapter.store import open_store
from tests.cli.conftest import Ended, Run, fetch, put
from tests.unit.terminology.mapping_sets import site_toml

SIGNED = ("--by", "Dr. B. Novak", "--because", "answer list of the LIS")
FIRST = ("--overlay", "site", "--site-url", "https://pathology.hospital.test/fhir")
ANSWER = {"system": "urn:lab:answers", "code": "A7"}
LOCAL = ("--system", "urn:lab:answers", "--code", "A7")


def report(server: Sandbox, value: dict[str, Any]) -> None:
    put(server, {"resourceType": "Patient", "id": "anna"})
    put(
        server,
        {
            "resourceType": "Observation",
            "id": "ihc",
            "status": "final",
            "subject": {"reference": "Patient/anna"},
            "code": {"coding": [{"system": "http://loinc.org", "code": "85319-2"}]},
            "valueCodeableConcept": value,
        },
    )


def only_row(run: Run) -> dict[str, Any]:
    [row] = run("unmapped").lines
    return row


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ({"coding": [ANSWER]}, ("--means", "2+", "--under", "ihc")),
        (
            {"text": "zweifach gefärbt"},
            ("--means", "result.equivocal", "--phrase", "zweifach gefärbt"),
        ),
    ],
    ids=["a coded answer", "a phrase"],
)
def test_a_row_that_was_worked_off_is_read_and_leaves_the_worklist(
    run: Run, sandbox: Sandbox, value: dict[str, Any], options: tuple[str, ...]
) -> None:
    report(sandbox, value)
    assert run("sync", HER2_FHIR_URL=sandbox.base_url).code == 0
    ended = run("mappings", "add", only_row(run)["row"], *options, *SIGNED, *FIRST)
    assert (ended.code, ended.lines[0]["version"]) == (0, "0.1.0")

    assert run("sync", HER2_SITE_MAPPINGS=str(Path("site").resolve())).code == 0
    assert run("unmapped").lines == []
    found = fetch(
        sandbox, "Observation?_tag=https://w3id.org/her2-adapter/CodeSystem/her2-adapter|derived"
    )
    assert "equivocal" in json.dumps(found).lower()


def add(run: Run, *options: str) -> Ended:
    return run("mappings", "add", *options, *SIGNED)


def test_the_folder_of_the_settings_is_extended_and_its_url_kept(run: Run, tmp_path: Path) -> None:
    assert add(run, *LOCAL, "--means", "2+", "--under", "ihc", *FIRST).code == 0
    ended = run(
        "mappings",
        "add",
        *("--system", "urn:lab:tests", "--code", "T1", "--means", "ihc", "--display", "HER2 IHC"),
        *SIGNED,
        HER2_SITE_MAPPINGS=str(tmp_path / "site"),
    )
    assert ended.code == 0, ended.err
    assert "version 0.2.0 (was 0.1.0)" in ended.err
    [line] = ended.lines
    assert (line["added"], line["means"], line["under"]) == ("code", "ihc", "test-roles")
    assert line["source"].endswith(": answer list of the LIS")
    made = json.loads((tmp_path / "site" / "conceptmap-site-test-roles.json").read_text())
    assert made["url"].startswith("https://pathology.hospital.test/fhir/")
    assert run("mappings", "check").code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--means", "2+", *FIRST), "give a row of the worklist"),
        (("0123abcd", *LOCAL, "--means", "2+", *FIRST), "give a row of the worklist"),
        (("0123abcd", "--means", "2+", *FIRST), "no row 0123abcd on the worklist now"),
        ((*LOCAL, "--means", "group-1"), "no folder of the site's own maps"),
        ((*LOCAL, "--means", "group-1", "--overlay", "site"), "--site-url"),
        ((*LOCAL, "--means", "group-1", "--by", " ", *FIRST), "must say who"),
        ((*LOCAL, "--means", "positive", *FIRST), "say which with --under"),
        (
            ("--system", "http://loinc.org", "--code", "99-1", "--means", "ihc", *FIRST),
            "check digit",
        ),
    ],
    ids=["nothing", "both", "gone", "folder", "url", "nobody", "unclear", "a-defect"],
)
def test_a_refusal_says_why_and_writes_nothing(
    run: Run, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}"):
        pass
    ended = run("mappings", "add", *SIGNED, *options)
    assert ended.code == 2
    assert says in " ".join(ended.err.replace("│", " ").split())
    assert not (tmp_path / "site").exists()


def test_a_likely_partner_is_nothing_to_map(run: Run, tmp_path: Path) -> None:
    entry = WorklistEntry(
        WorklistKind.LIKELY_PARTNER, "Patient/1", "Observation/1", "r", partner="Observation/2"
    )
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        store.replace_worklist(
            subjects=[], references=[], entries=[entry], at=datetime(2026, 3, 29, tzinfo=UTC)
        )
    [row] = run("unmapped", "--kind", "all").lines
    assert "no mapping reads it" in add(run, row["row"], "--means", "ihc", *FIRST).err


def test_a_row_is_added_beside_a_site_toml_and_checked_with_its_names(
    run: Run, tmp_path: Path
) -> None:
    site_toml(tmp_path / "site", '[code_systems]\n"lab-loinc" = "http://loinc.org"')
    before = (tmp_path / "site" / "site.toml").read_text()

    assert (
        run("mappings", "add", *LOCAL, "--means", "2+", "--under", "ihc", *SIGNED, *FIRST).code == 0
    )
    assert (tmp_path / "site" / "site.toml").read_text() == before
    assert run("mappings", "check", "site").code == 0

    # The name that site.toml gives to LOINC is no code system of its own.
    alias = ("--system", "lab-loinc", "--code", "LA6576-8")
    refused = run(
        "mappings", "add", *alias, "--means", "negative", "--under", "ish", *SIGNED, *FIRST
    )
    assert refused.code == 2


def test_nothing_is_added_beside_a_broken_site_toml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "site.toml").write_text("colour = 1")
    ended = run("mappings", "add", *LOCAL, "--means", "2+", "--under", "ihc", *SIGNED, *FIRST)

    assert ended.code == 2
    assert "site.toml: colour: unknown" in ended.err
    assert not list((tmp_path / "site").glob("*.json"))

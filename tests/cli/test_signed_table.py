"""`table --sign` records who has read the table, and `status` says whether it still is that one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import adapter
from adapter.store import open_store
from adapter.terminology.catalogue import load_catalogue
from tests.cli.conftest import Run
from tests.unit.terminology.mapping_sets import change, overlay, site_map

LOCAL = "https://lab.hospital.test/codes"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """A site with mappings of its own, after `run` has taken all settings away."""
    folder = overlay(tmp_path / "site", site_map("ihc-answers", (LOCAL, "pos3", "3+")))
    monkeypatch.setenv("HER2_SITE_MAPPINGS", str(folder))
    return folder


def status(run: Run, *flags: str, **environment: str) -> dict[str, Any]:
    with open_store(os.environ["HER2_STATE_URL"]):
        pass  # status makes none
    ended = run("status", *flags, **environment)
    assert ended.code == 0
    return ended.lines[0]


def test_a_signature_holds_who_signed_what_and_when(run: Run, site: Path) -> None:
    ended = run("table", "--sign", "Dr. A  Pathologist")

    written = json.loads((site / "signatures.jsonl").read_text("utf-8"))
    catalogue = load_catalogue(overlays=(site,))
    assert ended.code == 0
    assert written["name"] == "Dr. A Pathologist"
    assert written["signed_at"].endswith("+00:00")
    assert written["statement"] == "read"
    assert (written["policy"], written["policy_version"]) == ("asco-cap-2023", "1.0.0")
    assert written["choices"]["zero_plus"] == "dated"
    assert len(written["grid_sha256"]) == 64
    assert written["mappings"] == catalogue.version
    assert written["overlays"] == list(catalogue.overlay_versions)
    assert written["software"] == adapter.__version__


def test_what_was_signed_is_printed_and_claims_no_validation(run: Run, site: Path) -> None:
    ended = run("table", "--sign", "Dr. A")

    [line] = ended.lines
    assert (line["kind"], line["file"]) == ("signature", str(site / "signatures.jsonl"))
    assert "Dr. A has read the decision table (asco-cap-2023 1.0.0;" in ended.err
    assert "read, not that it was validated" in ended.err


def test_status_says_who_signed_and_when(run: Run, site: Path) -> None:
    assert status(run)["signature"] == "none"
    run("table", "--sign", "Dr. A")
    day = json.loads((site / "signatures.jsonl").read_text("utf-8"))["signed_at"][:10]

    facts = status(run)
    assert facts["decision_table"] == f"signed by Dr. A on {day}"
    assert (facts["signature"], facts["signed_by"], facts["signed_on"]) == ("current", "Dr. A", day)
    assert facts["vocabulary_changed"] is False
    assert f"signed by Dr. A on {day}" in run("status", "-o", "table").out


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("HER2_POLICY__ZERO_PLUS", "zero", "zero_plus dated, now zero"),
        ("HER2_POLICY__TUMOUR_SITE", "required", "tumour_site optional, now required"),
        ("HER2_POLICY", "basic", "policy asco-cap-2023, now basic"),
    ],
)
def test_status_says_that_the_table_has_changed_since(
    run: Run, site: Path, setting: str, value: str, told: str
) -> None:
    run("table", "--sign", "Dr. A")

    facts = status(run, **{setting: value})
    assert (facts["signature"], facts["signed_by"]) == ("changed", "Dr. A")
    assert facts["decision_table"].startswith("has changed since Dr. A signed it on")
    assert told in facts["decision_table"]


def test_a_changed_vocabulary_is_told_beside_the_signature(run: Run, site: Path) -> None:
    run("table", "--sign", "Dr. A")
    change(site, "0.json", lambda one: one.update(title="Other local codes"))

    facts = status(run)
    assert (facts["signature"], facts["vocabulary_changed"]) == ("current", True)
    assert facts["decision_table"].endswith("the vocabulary has changed since")


def test_two_people_can_sign(run: Run, site: Path) -> None:
    run("table", "--sign", "Dr. A")
    run("table", "--sign", "Dr. B")

    assert len((site / "signatures.jsonl").read_text("utf-8").splitlines()) == 2


def test_a_site_without_mappings_names_the_file(run: Run, tmp_path: Path) -> None:
    refused = run("table", "--sign", "Dr. A")
    assert refused.code == 2
    assert "policy.signatures is not set" in refused.err

    assert run("table", "--sign", "Dr. A", "--sign-file", "read.jsonl").code == 0
    assert status(run)["signature"] == "none", "nothing says where to look"
    assert status(run, HER2_POLICY__SIGNATURES="read.jsonl")["signed_by"] == "Dr. A"


def test_the_file_named_wins_over_the_folder_of_mappings(
    run: Run, site: Path, tmp_path: Path
) -> None:
    run("table", "--sign", "Dr. A", "--sign-file", "read.jsonl")

    assert (tmp_path / "read.jsonl").exists()
    assert not (site / "signatures.jsonl").exists()


@pytest.mark.parametrize(
    "flags",
    [["--sign", ""], ["--sign", "  "], ["--sign-file", "x"], ["--sign", "Dr. A", "-o", "markdown"]],
    ids=["empty", "blank", "a-file-and-no-name", "as-a-page"],
)
def test_what_cannot_be_signed_leaves_no_file(run: Run, site: Path, flags: list[str]) -> None:
    assert run("table", *flags).code == 2
    assert not (site / "signatures.jsonl").exists()


def test_status_goes_on_where_signatures_cannot_be_read(run: Run, site: Path) -> None:
    (site / "signatures.jsonl").write_text("{}\n", "utf-8")

    facts = status(run)
    assert facts["signature"] == "unreadable"
    assert "line 1 is no signature" in facts["decision_table"]


def test_status_goes_on_where_the_mappings_have_defects(run: Run, site: Path) -> None:
    run("table", "--sign", "Dr. A")
    change(site, "0.json", lambda one: one.pop("version"))

    facts = status(run)
    assert facts["signature"] == "unreadable"
    assert "the mappings have defects" in facts["decision_table"]

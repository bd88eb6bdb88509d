"""A site's overlay as its people meet it: told at start, listed by layer, named in Provenance, or refused whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import Run, fetch, load
from tests.cli.test_mapping_diff import result
from tests.unit.terminology.mapping_sets import SITE, overlay, site_map, site_toml, site_words

LOCAL = f"{SITE}/CodeSystem/her2"
LOINC = "http://loinc.org"
ZERO = '[policy]\nzero_plus = "zero"\n'


def test_check_tells_what_is_overridden_and_that_is_no_defect(run: Run, tmp_path: Path) -> None:
    rows = (("http://loinc.org", "LA11840-8", "0"), (LOCAL, "x", "1+"))
    folder = overlay(
        tmp_path / "lab",
        site_map("ihc-answers", *rows),
        site_words("result", "indeterminate", "not amplified"),
    )
    ended = run("mappings", "check", folder)

    assert ended.code == 0
    assert [(one["kind"], one["code"], one["before"], one["after"]) for one in ended.lines] == [
        ("override", "LA11840-8", "unreadable", "0"),
        ("override", "not amplified", "ish-result: negative", "result: indeterminate"),
    ]
    assert "The overlay adds 1 meaning, overrides 2" in ended.err


def test_the_list_names_the_layer_of_each_file(run: Run, tmp_path: Path) -> None:
    site_toml(overlay(tmp_path / "lab", site_map("ihc-answers", (LOCAL, "x", "1+"))))
    listed = run("mappings", "list", "lab").lines

    own = {line["name"]: line["layer"] for line in listed if line["layer"] != "shipped"}
    assert own == {"0.json": "St. Example's", "site.toml": "St. Example's"}


def test_a_broken_site_toml_is_refused_by_whatever_needs_it_with_all_defects(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "site.toml").write_text(
        f'nam = "x"\n[policy]\nzero_plus = "low"\n[code_systems]\n"{LOINC}" = "http://x.test"\n'
    )
    checked = run("mappings", "check", "lab")
    assert (checked.code, len(checked.lines)) == (2, 6)

    given = json.dumps(result({"text": "0+"}))
    for command in ("classify", "derive", "table", "config", "sync"):
        ended = run(
            command, text=given, HER2_SITE_MAPPINGS="lab", HER2_FHIR_URL="http://localhost:9"
        )
        assert ended.code == 2, command
        assert ended.err.count("site.toml: ") == 6, command


def test_an_explicit_setting_wins_over_the_site_and_it_is_said(run: Run, tmp_path: Path) -> None:
    site_toml(tmp_path / "lab", ZERO + 'earlier_editions = "strict"\n')
    ended = run("config", HER2_SITE_MAPPINGS="lab", HER2_POLICY__ZERO_PLUS="ultralow")

    shown = {line["name"]: (line["value"], line["origin"]) for line in ended.lines}
    assert shown["policy.zero_plus"] == ("ultralow", "HER2_POLICY__ZERO_PLUS")
    assert shown["policy.earlier_editions"] == ("strict", "site.toml")
    assert ended.err.strip() == (
        "policy.zero_plus is ultralow (HER2_POLICY__ZERO_PLUS), not zero as site.toml has it"
    )


def test_config_check_tells_of_the_overlay_once(run: Run, tmp_path: Path, sandbox: Sandbox) -> None:
    site_toml(tmp_path / "lab", ZERO)
    ended = run(
        "config",
        "--check",
        HER2_FHIR_URL=sandbox.base_url,
        HER2_SITE_MAPPINGS="lab",
        HER2_POLICY__ZERO_PLUS="ultralow",
    )

    assert ended.code == 0
    assert ended.err.count("Overlay St. Example's 1.0.0+") == 1
    assert ended.err.count("not zero as site.toml has it") == 1


@pytest.mark.parametrize("command", ["classify", "explain"])
def test_the_sites_policy_decides_offline(run: Run, tmp_path: Path, command: str) -> None:
    site_toml(tmp_path / "lab", ZERO)
    given = json.dumps(result({"text": "0+"}))

    assert run(command, "-", text=given).lines[0]["category"] == "ultralow"
    changed = run(command, "-", text=given, HER2_SITE_MAPPINGS="lab")
    assert changed.lines[0]["category"] == "negative"


def test_the_decision_table_is_that_of_the_site(run: Run, tmp_path: Path) -> None:
    site_toml(tmp_path / "lab", ZERO)
    before = run("table").out

    assert run("table", HER2_SITE_MAPPINGS="lab").out != before


def test_a_pass_says_which_overlay_it_uses_and_every_provenance_names_it(
    run: Run, tmp_path: Path, sandbox: Sandbox
) -> None:
    site_toml(overlay(tmp_path / "lab", site_map("ihc-answers", (LOCAL, "x", "1+"))), ZERO)
    load(sandbox, "ihc-3-plus")
    ended = run("sync", HER2_FHIR_URL=sandbox.base_url, HER2_SITE_MAPPINGS="lab")

    assert ended.code == 0
    assert "Overlay St. Example's 1.0.0+" in ended.err
    assert ": adds 1 meaning, overrides 0" in ended.err
    found = fetch(sandbox, "Provenance")["entry"]
    for entry in found:
        policies = entry["resource"]["policy"]
        assert policies[1] == "https://w3id.org/her2-adapter/policy/asco-cap-2023/zero-plus|zero"
        assert policies[-1].startswith("https://w3id.org/her2-adapter/mappings/overlay|1.0.0+")
    assert found

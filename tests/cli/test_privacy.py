"""Nothing of a patient reaches stderr: not by the log, not by a summary, not by an error; logical ids may."""

from __future__ import annotations

import json

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import FIXTURES, Run, load


def secrets() -> set[str]:
    """Names, birth dates and values of the example patients."""
    found = {"Invented", "Not amplified", "no membrane staining"}
    for path in FIXTURES.glob("*/input.json"):
        for entry in json.loads(path.read_text("utf-8"))["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "Patient":
                found |= {resource["birthDate"], *resource["name"][0]["given"]}
    return found


def test_no_command_says_anything_of_a_patient_on_stderr(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    told = run("sync", HER2_FHIR_URL=sandbox.base_url, HER2_LOG__LEVEL="debug").err
    load(sandbox, file="later.json")
    told += run("sync", "--log-format", "json").err
    told += run("status", "--check").err
    told += run("withdraw", "--all").err
    told += run("classify", *FIXTURES.glob("*/input.json")).err
    told += run("derive", *FIXTURES.glob("*/input.json")).err
    told += run("demo").err

    assert "pass_ended" in told
    assert {secret for secret in secrets() if secret in told} == set()


def test_no_line_of_output_holds_a_name_or_a_value(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    shown = run("sync", HER2_FHIR_URL=sandbox.base_url).out
    shown += run("classify", *FIXTURES.glob("*/input.json")).out

    assert {secret for secret in secrets() if secret in shown} == set()

"""The demo shows what the adapter really did, and touches nothing else on a server that it is pointed at."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from adapter.bootstrap import open_adapter
from adapter.demo import Run as DemoRun
from adapter.demo import run_demo, sandbox_settings
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from adapter.sync.cycle import PassReport
from tests.cli.conftest import FIXTURES, Run, fetch, load

TYPES = ("Patient", "Observation", "Specimen", "Condition", "DiagnosticReport", "Provenance")


class Recorder:
    """A stage that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.reports: list[PassReport] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, report: PassReport, *, only_changes: bool) -> None:
        self.reports.append(report)


def play(examples: Path) -> Recorder:
    stage = Recorder()
    with Sandbox() as sandbox:
        settings = sandbox_settings(sandbox.base_url, name="demo-test", policy=None)
        run = DemoRun("demo-test", writes=lambda: sandbox.writes, examples=examples)
        with open_adapter(settings, Event()) as adapter:
            assert run_demo(stage, adapter, run)
    return stage


def categories(report: PassReport) -> dict[str, str]:
    return {row.patient.removeprefix("Patient/"): row.category for row in report.rows}


def test_the_demo_shows_what_the_folders_expect() -> None:
    stage = play(FIXTURES)

    expected = {}
    for path in FIXTURES.glob("*/expected.json"):
        for line in json.loads(path.read_text("utf-8")):
            if line["kind"] == "case":
                expected[path.parent.name] = line["category"]
    assert categories(stage.reports[0]) == expected
    assert len(expected) == 11


def test_one_changed_score_changes_the_row_of_the_demo(tmp_path: Path) -> None:
    examples = tmp_path / "fixtures"
    shutil.copytree(FIXTURES, examples)
    file = examples / "ihc-2-plus-alone" / "input.json"
    text = file.read_text("utf-8").replace("LA11842-4", "LA11843-2").replace('"2+"', '"3+"')
    file.write_text(text, "utf-8")

    assert categories(play(examples).reports[0])["ihc-2-plus-alone"] == "positive"


def test_the_second_pass_writes_nothing_and_the_third_what_changed() -> None:
    stage = play(FIXTURES)

    assert any("0 writes, counted at the server" in said for said in stage.said)
    third = {
        row.patient: (row.before, row.action.value, row.category) for row in stage.reports[1].rows
    }
    changed = {patient: row for patient, row in third.items() if row[1] != "skip"}
    assert changed == {
        "Patient/ihc-1-plus": ("low", "update", "equivocal"),
        "Patient/ihc-3-plus": ("positive", "retract", "no-result"),
    }


def test_the_command_prints_its_tables_and_what_to_try_next(run: Run) -> None:
    ended = run("demo", HER2_FHIR_URL="https://production.test/fhir")

    assert ended.code == 0
    for part in (
        "equivocal (was low)",
        "withdrawn (was positive)",
        "gastric-ihc, not-applicable",
        "0 writes, counted at the server",
        "What to try next",
        "Not verified by a pathologist; the laboratory's report is the result of record.",
    ):
        assert part in ended.out


def test_the_demo_on_the_sandbox_takes_no_settings_of_a_site(run: Run) -> None:
    """Whatever the environment says, nothing may go to a real server."""
    ended = run(
        "demo",
        "-o",
        "ndjson",
        HER2_FHIR_URL="https://production.test/fhir",
        HER2_TARGET__URL="https://target.test/fhir",
        HER2_POLL__INTERVAL_SECONDS="broken",
    )

    assert ended.code == 0
    assert len(ended.lines) == 13
    assert "http://127.0.0.1" in ended.err


def everything(sandbox: Sandbox) -> dict[str, Any]:
    found = {}
    for kind in TYPES:
        page = fetch(sandbox, f"{kind}?_count=500")
        for entry in page.get("entry", []):
            resource = entry["resource"]
            found[f"{kind}/{resource['id']}"] = resource
    return found


def test_on_a_server_it_keeps_to_its_own_tag_and_can_clean_up(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    before = everything(sandbox)
    played = run("demo", "--server", sandbox.base_url, "--tag", "demo-one")
    during = everything(sandbox)

    assert played.code == 0
    assert {name: during[name] for name in before} == before
    new = set(during) - set(before)
    examples = [name for name in new if name.startswith(("Patient/", "Specimen/", "Condition/"))]
    assert examples
    assert all(name.partition("/")[2].startswith("demo-one-") for name in examples)
    assert "--tag demo-one --cleanup" in played.out

    assert run("demo", "--server", sandbox.base_url, "--tag", "demo-two", "--cleanup").code == 0
    assert everything(sandbox) == during
    cleaned = run("demo", "--server", sandbox.base_url, "--tag", "demo-one", "--cleanup")
    assert "Removed:" in cleaned.out
    assert everything(sandbox) == before


def test_it_plays_and_cleans_up_in_one_go(run: Run, sandbox: Sandbox) -> None:
    ended = run("demo", "--server", sandbox.base_url, "--cleanup")

    assert ended.code == 0
    assert "0 writes, counted by the client" in ended.out
    assert everything(sandbox) == {}


def keep_everything(request: FhirRequest, inner: Answer) -> FhirResponse:
    """A server that removes nothing."""
    if b'"DELETE"' in request.body:
        outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
        return FhirResponse(405, json.dumps(outcome))
    return inner(request)


def test_where_nothing_may_be_removed_it_is_entered_in_error(run: Run) -> None:
    with Sandbox(layers=[keep_everything]) as server:
        load(server, "ihc-0")
        ended = run("demo", "--server", server.base_url, "--tag", "demo-one", "--cleanup")
        assert "Nothing of demo-one" in ended.out
        run("demo", "--server", server.base_url, "--tag", "demo-one")
        ended = run("demo", "--server", server.base_url, "--tag", "demo-one", "--cleanup")

        assert ended.code == 0
        assert "entered in error instead" in ended.out
        statuses = {
            name: resource["status"]
            for name, resource in everything(server).items()
            if name.startswith("Observation/")
        }
    assert statuses.pop("Observation/ihc-0-ihc") == "final"
    assert set(statuses.values()) == {"entered-in-error"}


def ignore_tags(request: FhirRequest, inner: Answer) -> FhirResponse:
    """A server that does not know `_tag`, finds everything instead, and does not say so."""
    kept = [part for part in request.query.split("&") if not part.startswith("_tag=")]
    answer = inner(replace(request, query="&".join(kept)))
    if "_tag=" not in request.query:
        return answer
    page = json.loads(answer.body)
    page.pop("link", None)
    return replace(answer, body=json.dumps(page))


def test_a_server_that_ignores_tags_loses_nothing_of_others(run: Run) -> None:
    with Sandbox(layers=[ignore_tags]) as server:
        load(server)
        run("sync", HER2_FHIR_URL=server.base_url)
        before = everything(server)
        run("demo", "--server", server.base_url, "--cleanup")

        assert everything(server) == before


@pytest.mark.parametrize(
    "wrong",
    [
        ["--cleanup"],
        ["--tag", "demo-a"],
        ["--server", "http://127.0.0.1:1/fhir", "--tag", "default"],
        ["--server", "http://127.0.0.1:1/fhir", "--tag", "demo-" + "a" * 40],
    ],
    ids=["cleanup-of-nothing", "tag-of-nothing", "a-site's-namespace", "too-long"],
)
def test_wrong_usage_is_refused(run: Run, wrong: list[str]) -> None:
    assert run("demo", *wrong).code == 2


def test_in_observe_mode_nothing_is_put_on_a_server(run: Run, sandbox: Sandbox) -> None:
    ended = run("demo", "--server", sandbox.base_url, HER2_MODE="observe")
    assert (ended.code, "mode is observe" in ended.err, sandbox.writes) == (2, True, 0)


def test_credentials_of_another_server_are_never_sent(run: Run, sandbox: Sandbox) -> None:
    ended = run(
        "demo",
        "--server",
        sandbox.base_url,
        HER2_FHIR_URL="https://production.test/fhir",
        HER2_SOURCE__AUTH__KIND="bearer",
        HER2_SOURCE__AUTH__TOKEN="secret",
    )

    assert (ended.code, sandbox.requests) == (2, 0)
    assert "credentials for another server" in ended.err

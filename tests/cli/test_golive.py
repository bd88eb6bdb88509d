"""The report before go-live: it shows what a change board must see, and writes nothing but its hash in the trail."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.audit import AuditAction
from adapter.ports import ParkedCase, PassRecord
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from tests.cli.conftest import ROOT, Ended, Run, put
from tests.cli.test_operating import state
from tests.workloads.disagreeing import EXPECTED, GRAVE, hospital

COMMAND = "go-live-report"


@pytest.fixture
def observed(sandbox: Sandbox) -> Sandbox:
    """A hospital whose laboratory concludes on each sample itself."""
    for resource in hospital():
        put(sandbox, resource)
    return sandbox


def rows(ended: Ended, kind: str) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    return [line for line in ended.lines if line["kind"] == kind]


def fact(ended: Ended, name: str) -> Any:
    (value,) = [one["value"] for one in rows(ended, "fact") if one["fact"] == name]
    return value


def passed(ago: timedelta, outcome: str = "observed", **counts: int) -> PassRecord:
    ended = datetime.now(UTC) - ago
    names = {name.replace("__", "."): number for name, number in counts.items()}
    return PassRecord(ended - timedelta(seconds=2), ended, "sweep", outcome, names)


def test_every_disagreement_is_shown_once_and_the_gravest_first(
    run: Run, observed: Sandbox
) -> None:
    ended = run(COMMAND, HER2_FHIR_URL=observed.base_url)
    shown = rows(ended, "disagreement")
    names = [one["patient"].removeprefix("Patient/") for one in shown]
    wanted = {name for name, (*_, how) in EXPECTED.items() if how in ("against", "undecided")}
    assert sorted(names) == sorted(wanted | {"two-words"})
    assert set(names[:4]) == {*GRAVE, "two-words"}
    assert [one["is_grave"] for one in shown] == [True] * 4 + [False] * 2
    by_name = {one["patient"].removeprefix("Patient/"): one for one in shown}
    assert by_name["grave-negative"] | {"kind": ""} == {
        "kind": "",
        "patient": "Patient/grave-negative",
        "sample": "Specimen/grave-negative-s",
        "laboratory": "negative",
        "by_tests": "positive",
        "category": "needs-review",
        "how": "against",
        "is_grave": True,
        "what": "positive against negative",
        "rule": "contradiction",
        "reasons": ["overall-against-scores"],
        "sources": ["Observation/grave-negative-s-ihc", "Observation/grave-negative-s-overall"],
        "derived": by_name["grave-negative"]["derived"],
    }


def test_what_is_expected_of_history_is_counted_apart_and_not_as_a_disagreement(
    run: Run, observed: Sandbox
) -> None:
    ended = run(COMMAND, HER2_FHIR_URL=observed.base_url)
    counts = {one["how"]: one["samples"] for one in rows(ended, "comparison")}
    assert counts == {
        "against": 4,
        "laboratory-differs": 1,
        "undecided": 1,
        "taken": 1,
        "finer": 2,
        "agrees": 2,
    }
    assert sum(one["samples"] for one in rows(ended, "finer")) == 2
    crossed = {one["laboratory"]: one for one in rows(ended, "cross")}
    assert (crossed["negative"]["low"], crossed["positive"]["positive"]) == (2, 1)
    everything = sum(n for one in crossed.values() for n in one.values() if isinstance(n, int))
    assert (
        everything
        == sum(counts.values())
        == fact(ended, "samples that the laboratory concluded on itself")
    )


def test_what_would_be_written_adds_up(run: Run, observed: Sandbox) -> None:
    ended = run(COMMAND, HER2_FHIR_URL=observed.base_url, HER2_TARGET__CASES_PER_MINUTE="4")
    categories = rows(ended, "category")
    assert sum(one["samples"] for one in categories) == 12
    assert all(one["create"] == one["samples"] for one in categories)
    assert fact(ended, "derived results to be written") == 12
    assert fact(ended, "expected duration") == "at least 3.0 min, at 4 results a minute"
    undecided = sum(one["samples"] for one in rows(ended, "undecided"))
    assert undecided == fact(ended, "of these undecided") == 6


def test_it_writes_nothing_and_changes_no_state_but_the_trail(
    run: Run, observed: Sandbox, tmp_path: Path
) -> None:
    before = observed.writes
    ended = run(COMMAND, HER2_FHIR_URL=observed.base_url)
    assert (ended.code, observed.writes) == (0, before)
    with state(tmp_path) as store:
        assert store.passes() == ()
        assert store.worklist() == ()
        assert store.queue_length() == 0
        (row,) = [one for one in store.recorded() if one.action == AuditAction.GO_LIVE_REPORT.value]
        assert store.check_trail().is_sound
    assert ended.lines[-1]["sha256"] == row.facts["sha256"]
    assert row.facts["disagreements"] == 6
    assert not row.subject


def test_the_same_hospital_gives_the_same_report_apart_from_times(
    run: Run, observed: Sandbox
) -> None:
    def timeless(ended: Ended) -> str:
        assert ended.code == 0
        *content, _ = ended.out.splitlines()
        return re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "TIME", "\n".join(content))

    first = run(COMMAND, "-o", "ndjson", HER2_FHIR_URL=observed.base_url)
    assert timeless(first) == timeless(run(COMMAND, "-o", "ndjson"))


def test_codes_texts_and_reasons_that_were_not_understood_are_counted(
    run: Run, observed: Sandbox, tmp_path: Path
) -> None:
    with state(tmp_path) as store:
        store.park(ParkedCase("key", "Patient/a", "refused-422", "f", datetime.now(UTC)))
    ended = run(COMMAND, HER2_FHIR_URL=observed.base_url)
    (unread,) = rows(ended, "not-read")
    assert (unread["count"], unread["pattern"]) == (3, "her2 zwei plus")
    aside = {(one["outcome"], one["reason"]): one["results"] for one in rows(ended, "set-aside")}
    assert aside == {
        ("unreadable", "text-not-understood"): 3,
        ("not-applicable", "other-tumour"): 1,
    }
    assert [one["derived"] for one in rows(ended, "parked")] == ["Observation/key"]
    assert run("unmapped").lines == []


def test_the_recorded_passes_of_the_period_are_told(
    run: Run, observed: Sandbox, tmp_path: Path
) -> None:
    days = timedelta(days=1)
    with state(tmp_path) as store:
        store.record_pass(passed(40 * days))
        store.record_pass(passed(20 * days, requests__source__search__ok=500, patients=10))
        store.record_pass(passed(15 * days, "failed", error__NotAuthorised=1))
        store.record_pass(passed(0 * days, requests__source__search__ok=500, patients=10))
    begins = (datetime.now(UTC) - 30 * days).date().isoformat()
    ended = run(COMMAND, "--since", begins, HER2_FHIR_URL=observed.base_url)
    assert fact(ended, "observed") == "20.0 days, 3 passes"
    assert fact(ended, "longest time between two good passes").startswith("20.0 days, until")
    assert fact(ended, "a day: requests") == 50
    assert [
        (one["outcome"], one["error"], one["passes"]) for one in rows(ended, "passes-ended")
    ] == [
        ("observed", "", 2),
        ("failed", "NotAuthorised", 1),
    ]
    (kind,) = rows(ended, "passes")
    assert (kind["per_pass"], kind["per_patient"]) == (500.0, 50.0)
    points = " ".join(one["point"] for one in rows(ended, "open-point"))
    assert "1 of 3 passes failed" in points
    assert "It was observed for" not in points
    assert fact(run(COMMAND), "observed") == "40.0 days, 4 passes"


def test_a_brake_that_would_stop_the_first_writing_pass_is_told_and_is_no_failure(
    run: Run, observed: Sandbox
) -> None:
    ended = run(COMMAND, HER2_FHIR_URL=observed.base_url, HER2_BRAKE__FIRST_PASS="11")
    assert fact(ended, "a brake would stop it") == "yes"
    said = [one["text"] for one in rows(ended, "statement")]
    assert any("a first pass would create 12 results, more than 11" in text for text in said)
    assert any("brake" in one["point"] for one in rows(ended, "open-point"))


def test_after_go_live_it_shows_the_difference_that_is_left(run: Run, observed: Sandbox) -> None:
    assert run("sync", HER2_FHIR_URL=observed.base_url).code == 0
    ended = run(COMMAND)
    assert fact(ended, "would be written") == 0
    assert {one["skip"] for one in rows(ended, "category")} >= {6}
    assert len(rows(ended, "disagreement")) == 6
    assert fact(ended, "derived results that stand already") == 12


def test_a_signed_table_is_told_with_its_name(run: Run, observed: Sandbox, tmp_path: Path) -> None:
    file = str(tmp_path / "signatures.jsonl")
    url = {"HER2_FHIR_URL": observed.base_url, "HER2_POLICY__SIGNATURES": file}
    unsigned = run(COMMAND, **url)
    assert any("not signed" in one["point"] for one in rows(unsigned, "open-point"))
    assert run("table", "--sign", "Dr. A. Sample").code == 0
    signed = run(COMMAND)
    assert "signed by Dr. A. Sample" in fact(signed, "decision table")
    assert not any("not signed" in one["point"] for one in rows(signed, "open-point"))


def test_one_run_writes_every_form_with_one_hash(
    run: Run, observed: Sandbox, tmp_path: Path
) -> None:
    names = ["report.html", "report.md", "report.ndjson", "report.json"]
    asked = [word for name in names for word in ("--to", name)]
    ended = run(COMMAND, *asked, HER2_FHIR_URL=observed.base_url)
    assert (ended.code, ended.out) == (0, "")
    texts = {name: (tmp_path / name).read_text("utf-8") for name in names}
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in names} == {0o600}
    sha256 = json.loads(texts["report.ndjson"].splitlines()[-1])["sha256"]
    for name, text in texts.items():
        assert sha256 in text, name
        assert "Not verified by a pathologist; the laboratory's report is the result of record" in (
            text.replace("&#x27;", "'")
        ), name
        assert "Data protection" in text, name


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--to", "report.pdf"], 2), (["--since", "yesterday"], 2), (["--to", "away/r.md"], 2)],
)
def test_wrong_usage_is_told(run: Run, observed: Sandbox, arguments: list[str], code: int) -> None:
    ended = run(COMMAND, *arguments, HER2_FHIR_URL=observed.base_url)
    assert ended.code == code
    assert ended.out == ""


def test_without_a_server_there_is_no_report(run: Run, tmp_path: Path) -> None:
    ended = run(COMMAND, HER2_FHIR_URL="http://127.0.0.1:9/fhir")
    assert (ended.code, ended.out) == (3, "")
    with state(tmp_path) as store:
        assert [one for one in store.recorded() if one.action == "go-live-report"] == []


class _Counting:
    """Counts what reaches the server, beside what the adapter says it asked."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        self.requests += 1
        return answer(request)


def test_observed_by_a_real_process_every_request_is_counted_and_nothing_is_written(
    run: Run, tmp_path: Path
) -> None:
    counting = _Counting()
    with Sandbox(layers=[counting]) as sandbox:
        for resource in hospital():
            put(sandbox, resource)
        written, counting.requests = sandbox.writes, 0
        environment = {
            "HER2_FHIR_URL": sandbox.base_url,
            "HER2_STATE_URL": f"sqlite:///{tmp_path / 'state.sqlite'}",
            "HER2_POLL__INTERVAL_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "adapter", "run", "--observe"]
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=tmp_path, stderr=subprocess.PIPE
        )
        with state(tmp_path) as store:
            deadline = time.monotonic() + 120
            while len(store.passes()) < 3 and time.monotonic() < deadline:
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        served = counting.requests
        ended = run(COMMAND, HER2_FHIR_URL=sandbox.base_url, HER2_MODE="observe")
        # A start asks once whether the server is there, before the first pass.
        assert fact(ended, "requests") == served - 1
        asked_now = sum(one["number"] for one in rows(ended, "requests-now"))
        # Beyond its pass the report asks what the server says it is.
        assert asked_now == counting.requests - served - 1
        assert sandbox.writes == written
    assert {one["asked"] for one in rows(ended, "requests")} <= {
        "batch",
        "capabilities",
        "read",
        "search",
        "page",
    }
    (versions,) = rows(ended, "versions")
    assert versions["starts"] == 1
    assert int(fact(ended, "observed").split(", ")[1].split()[0]) >= 3


def test_a_look_that_did_not_read_everything_says_so(run: Run, observed: Sandbox) -> None:
    whole = run(COMMAND, HER2_FHIR_URL=observed.base_url)
    assert not any("did not read everything" in one["point"] for one in rows(whole, "open-point"))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert run("sync", "--since", yesterday).code == 0
    partly = run(COMMAND)
    assert any("did not read everything" in one["point"] for one in rows(partly, "open-point"))

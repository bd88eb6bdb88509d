"""The doctor's page as an administrator gets it, what is kept of it, and that it can be stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from adapter.sandbox.server import Sandbox
from adapter.store import open_store
from adapter.sync.measured import SOURCE, TARGET, measured_source, measured_target
from adapter.sync.writing.ladder import FOUND
from adapter.terminology.systems import CASE_IDENTIFIER_SYSTEM
from tests.cli.conftest import ROOT, Run, fetch, load

OWN_TYPES = ("Observation", "Device", "Provenance")


def kept(folder: Path, name: str) -> dict[str, Any] | None:
    with open_store(f"sqlite:///{folder / 'state.sqlite'}") as store:
        said = store.setting(name)
        return json.loads(said) if said else None


def rows(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def test_the_page_holds_what_works_and_what_follows(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-1-plus")
    ended = run("doctor", "-o", "table", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 0
    for words in (
        sandbox.base_url,
        "HER2 adapter sandbox",
        "What works",
        "PUT of a new id",
        "creates it under that id",
        "proved on a result",
        "What the adapter does because of it",
        "computed from the case",
        "in one transaction",
        "took away again",
    ):
        assert words in ended.out, words
    assert "What does not work" not in ended.out
    assert "Missing scopes" not in ended.out


def test_what_was_measured_is_kept_and_used_by_the_next_start(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.habits.choose({"bundle-cap": "20"})
    ended = run("doctor", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 0
    assert kept(tmp_path, TARGET) == {"strategy": "client-ids", "atomic": True, "max_entries": 20}
    assert kept(tmp_path, SOURCE) == {
        "page_size": 500,
        "overlap_seconds": 600.0,
        "incremental": True,
    }
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        assert measured_target(store, sandbox.base_url) is not None
        assert measured_source(store, sandbox.base_url) is not None
        assert [(row.action, row.outcome) for row in store.recorded()][1:] == [
            ("doctor-run", "kept")
        ]
    [advice] = rows(ended.lines, "advice")
    assert advice["target"]["max_entries"] == 20
    assert rows(ended.lines, "server")[0]["base_url"] == sandbox.base_url


def test_an_explicit_setting_wins_and_the_page_says_so(run: Run, sandbox: Sandbox) -> None:
    ended = run(
        "doctor",
        HER2_FHIR_URL=sandbox.base_url,
        HER2_POLL__OVERLAP_SECONDS="60",
        HER2_TARGET__TRANSACTIONS="single",
        HER2_TARGET__WRITE_STRATEGY="client-ids",
    )
    assert (
        "poll.overlap_seconds is 60 (HER2_POLL__OVERLAP_SECONDS), which wins over 600" in ended.err
    )
    assert "target.transactions is single" in ended.err
    assert "target.write_strategy is" not in ended.err


def test_read_only_writes_nothing_and_keeps_no_claim_about_writing(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox, "ihc-1-plus")
    before = sandbox.writes
    ended = run("doctor", "--read-only", HER2_FHIR_URL=sandbox.base_url)

    assert (ended.code, sandbox.writes) == (0, before)
    assert kept(tmp_path, TARGET) is None
    assert kept(tmp_path, SOURCE) is not None
    [ids] = [one for one in rows(ended.lines, "finding") if one["topic"] == "client-ids"]
    assert (ids["standing"], ids["works"], ids["value"]) == ("not measured", None, None)
    assert "--read-only" in ids["says"]


def test_in_observe_mode_it_reads_only_unless_asked(run: Run, sandbox: Sandbox) -> None:
    given = {"HER2_FHIR_URL": sandbox.base_url, "HER2_MODE": "observe"}
    ended = run("doctor", "-o", "table", **given)
    assert sandbox.writes == 0
    assert "mode is observe; --write measures it" in ended.out

    assert run("doctor", "--write", **given).code == 0
    assert sandbox.writes > 0


def test_a_source_that_is_not_the_target_is_only_read(run: Run, sandbox: Sandbox) -> None:
    with Sandbox() as target:
        ended = run("doctor", HER2_FHIR_URL=sandbox.base_url, HER2_TARGET__URL=target.base_url)
        assert ended.code == 0
        assert (sandbox.writes, target.writes > 0) == (0, True)
        roles = {one["role"]: one["base_url"] for one in rows(ended.lines, "server")}
        assert roles == {"source": sandbox.base_url, "target": target.base_url}

        alone = run("doctor", "--source", HER2_FHIR_URL=sandbox.base_url)
        assert [one["role"] for one in rows(alone.lines, "server")] == ["source"]
        assert sandbox.writes == 0


def test_a_server_that_cannot_be_written_to_safely_needs_an_operator(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.habits.choose(profile="epic")
    ended = run("doctor", "-o", "table", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 5
    assert "It cannot write here" in ended.out
    assert kept(tmp_path, TARGET) is None


def test_links_to_elsewhere_come_with_what_to_paste(run: Run, sandbox: Sandbox) -> None:
    sandbox.habits.choose({"foreign-next-links": "host"})
    ended = run("doctor", "-o", "table", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 5
    assert "proxy_set_header X-Forwarded-Host" in ended.out
    assert "source.rebase_links = true" in ended.out


def test_an_interrupt_ends_a_long_wait_and_takes_everything_away(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.habits.choose({"index-lag": "600"})
    environment = {
        "PATH": "/usr/bin:/bin",
        "HER2_FHIR_URL": sandbox.base_url,
        "HER2_STATE_URL": f"sqlite:///{tmp_path / 'state.sqlite'}",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "adapter", "doctor"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 60
        while sandbox.writes < 3:
            assert process.poll() is None
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130, err
    assert "what was measured is not kept" in err
    assert kept(tmp_path, TARGET) is None
    lag = next(one for one in map(json.loads, out.splitlines()) if one.get("topic") == "index-lag")
    assert (lag["standing"], lag["says"]) == ("not measured", "stopped during it")
    sandbox.habits.choose()
    for kind in OWN_TYPES:
        assert fetch(sandbox, kind).get("entry", []) == []


def test_a_pass_writes_as_the_doctor_chose_and_has_nothing_to_find_out(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox, "ihc-1-plus")
    sandbox.habits.choose({"no-client-ids": "405", "no-transactions": "405"})
    assert run("doctor", HER2_FHIR_URL=sandbox.base_url).code == 0
    assert run("sync", HER2_FHIR_URL=sandbox.base_url).code == 0

    assert kept(tmp_path, TARGET) == {
        "strategy": "conditional-update",
        "atomic": False,
        "max_entries": None,
    }
    assert kept(tmp_path, FOUND) is None
    derived = fetch(sandbox, f"Observation?identifier={CASE_IDENTIFIER_SYSTEM}%7C")
    assert derived["total"] == 1
    assert fetch(sandbox, "Provenance")["total"] == 1

"""Findings into advice: what was not measured is not claimed, and what to paste fits what was seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapter.doctor.findings import Examination, Finding, Topic, measured, not_measured
from adapter.doctor.judge import Advice, advise
from adapter.doctor.remedies import remedies
from adapter.sync.measured import MeasuredSource, MeasuredTarget
from adapter.sync.strategy import WriteStrategy

GOOD = (
    measured(Topic.LAST_UPDATED, "", works=True),
    measured(Topic.CLIENT_IDS, "", works=True),
    measured(Topic.INDEX_LAG, "", works=True, value=0.2),
    measured(Topic.IF_MATCH, "", works=True),
    measured(Topic.TRANSACTION, "", works=True),
    measured(Topic.ATOMIC, "", works=True),
    measured(Topic.ENTRIES, "", works=True, value=50),
)


def examination(*changed: Finding, software: str = "HAPI FHIR Server 8.8.0") -> Examination:
    findings = {one.topic: one for one in (*GOOD, *changed)}
    return Examination(
        base_url="https://ehr.test/fhir",
        software=software,
        fhir_version="4.0.1",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        is_source=True,
        is_target=True,
        findings=findings,
    )


def judged(*changed: Finding, writes: bool = True) -> Advice:
    return advise(examination(*changed), writes=writes, page_size=500, entries=50)


def test_a_good_server_is_used_to_the_full() -> None:
    advice = judged()
    assert advice.target == MeasuredTarget(WriteStrategy.CLIENT_IDS, atomic=True, max_entries=None)
    assert advice.source == MeasuredSource(500, 600.0, incremental=True)


@pytest.mark.parametrize(
    "unknown", [Topic.CLIENT_IDS, Topic.TRANSACTION], ids=lambda topic: topic.name
)
def test_without_the_way_of_writing_measured_nothing_of_the_target_is_kept(unknown: Topic) -> None:
    advice = judged(not_measured(unknown, "the server was busy"))
    assert advice.target is None
    assert not advice.cannot_write


def test_a_transaction_that_was_not_seen_to_be_whole_is_not_called_so() -> None:
    advice = judged(not_measured(Topic.ATOMIC, "nothing was refused"))
    assert advice.target == MeasuredTarget(WriteStrategy.CLIENT_IDS, atomic=False, max_entries=None)
    assert any("was not seen to land whole" in one for one in advice.sentences)


def test_without_last_updated_measured_nothing_of_the_source_is_kept() -> None:
    assert judged(not_measured(Topic.LAST_UPDATED, "no Observation")).source is None


@pytest.mark.parametrize(
    ("lag", "overlap"), [(0.0, 600.0), (200.0, 600.0), (201.0, 660.0), (299.5, 900.0)]
)
def test_the_overlap_is_three_times_the_lag_and_never_less_than_the_default(
    lag: float, overlap: float
) -> None:
    source = judged(measured(Topic.INDEX_LAG, "", works=True, value=lag)).source
    assert source is not None
    assert source.overlap_seconds == overlap


def test_a_cap_of_pages_is_the_page_size_and_can_be_lifted_on_hapi() -> None:
    capped = measured(Topic.PAGE_SIZE, "", works=True, value=200)
    found = examination(capped)
    advice = advise(found, writes=True, page_size=500, entries=50)
    assert advice.source == MeasuredSource(200, 600.0, incremental=True)
    [remedy] = remedies(found, advice, 500)
    assert remedy.text == "hapi:\n  fhir:\n    max_page_size: 500"
    assert remedies(examination(capped, software="Another"), advice, 500) == ()


def test_hapi_can_be_told_to_take_ids_and_to_look_at_if_match() -> None:
    found = examination(
        measured(Topic.CLIENT_IDS, "", works=False),
        measured(Topic.CONDITIONAL_UPDATE, "", works=True),
        measured(Topic.IF_MATCH, "", works=False),
    )
    advice = advise(found, writes=True, page_size=500, entries=50)
    assert advice.target is not None
    assert advice.target.strategy is WriteStrategy.CONDITIONAL_UPDATE
    [remedy] = remedies(found, advice, 500)
    assert "client_id_strategy: ALPHANUMERIC" in remedy.text
    assert "etag_support_enabled: true" in remedy.text


def test_a_good_server_gets_nothing_to_paste() -> None:
    assert remedies(examination(), judged(), 500) == ()


def test_scopes_are_what_the_mode_and_the_way_of_writing_need() -> None:
    assert "system/Observation.u" in judged().scopes
    assert "system/Observation.c" not in judged().scopes
    assert not any(scope.endswith((".u", ".c")) for scope in judged(writes=False).scopes)
    chosen_by_server = judged(
        measured(Topic.CLIENT_IDS, "", works=False),
        measured(Topic.CONDITIONAL_CREATE, "", works=True),
    )
    assert "system/Observation.c" in chosen_by_server.scopes

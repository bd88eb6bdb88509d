"""Readiness tells the truth (P10): starting, stale, standing by, braked, without a state store.

Protects that an adapter which sees nothing is never called ready (H15).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import StoreError, TemporaryServerError
from adapter.sync.cycle import PassReport
from adapter.sync.planning.brakes import BrakeState
from adapter.sync.pulse import Pulse
from adapter.sync.report import PassKind, PassOutcome
from adapter.web.health import Health, unseen_seconds
from tests.fakes.site import Site
from tests.unit.terminology.mapping_sets import site_toml
from tests.unit.web.running import Running, running, until


@pytest.fixture
def site() -> Site:
    return Site()


def health_of(site: Site, *, stopping: bool = False) -> Health:
    pulse = Pulse(site.clock.now())
    return Health(pulse, site.store, site.clock, 60.0, lambda: stopping)


def report(site: Site, outcome: PassOutcome = PassOutcome.DONE, **more: Any) -> PassReport:
    now = site.clock.now()
    return PassReport(PassKind.INCREMENTAL, outcome, now, now, **more)


def test_before_the_first_pass_it_is_starting(site: Site) -> None:
    judged = health_of(site).judge()
    assert (judged["ready"], list(judged["because"])) == (False, ["starting"])


def test_after_a_pass_it_is_ready_and_says_since_when(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    site.clock.advance(30)
    judged = health.judge()
    assert judged["ready"] is True
    assert judged["unseen_for_seconds"] == 30


def test_a_server_that_is_away_for_long_makes_it_stale_and_names_the_error(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    for _ in range(4):
        site.clock.advance(60)
        health.pulse.failed(TemporaryServerError("503"), "ab" * 16, at=site.clock.now())
    judged = health.judge()
    assert list(judged["because"]) == ["stale"]
    assert "TemporaryServerError" in judged["because"]["stale"]
    assert judged["last_error_event"] == "ab" * 16


def test_one_failure_is_no_outage(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    site.clock.advance(60)
    health.pulse.failed(TemporaryServerError("503"), "ab" * 16, at=site.clock.now())
    assert health.judge()["ready"] is True


def test_a_first_pass_that_never_succeeds_is_not_starting_for_ever(site: Site) -> None:
    health = health_of(site)
    for _ in range(4):
        site.clock.advance(60)
        health.pulse.failed(TemporaryServerError("503"), "ab" * 16, at=site.clock.now())
    assert list(health.judge()["because"]) == ["stale"]


def test_a_long_sweep_is_not_stale_while_it_runs(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    site.clock.advance(60)
    health.pulse.began(site.clock.now())
    site.clock.advance(hours=2)
    assert health.judge()["ready"] is True
    assert unseen_seconds(health.pulse.beat, site.clock.now()) > 7000


def test_a_pass_in_which_nothing_moves_is_stuck(site: Site) -> None:
    ended = {"source.search": 1}
    health = replace(health_of(site), traffic=lambda: ended)
    health.pulse.ended(report(site), is_whole=True)
    health.pulse.began(site.clock.now())
    for _ in range(5):
        site.clock.advance(hours=1)
        ended["source.search"] += 1
        assert health.judge()["ready"] is True
    site.clock.advance(hours=1)
    assert health.judge()["ready"] is True
    site.clock.advance(hours=2)
    assert list(health.judge()["because"]) == ["stuck"]
    ended["source.search"] += 1
    assert health.judge()["ready"] is True


def test_after_a_takeover_every_failed_pass_is_told(site: Site) -> None:
    health = health_of(site)
    health.pulse.stands_by()
    health.pulse.holds_lease()
    for _ in range(4):
        site.clock.advance(60)
        health.pulse.failed(TemporaryServerError("503"), "ab" * 16, at=site.clock.now())
    judged = health.judge()
    assert (judged["writes"], list(judged["because"])) == (True, ["stale"])


def test_what_one_met_before_it_stood_by_is_not_told_for_ever(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site, brake=BrakeState(engaged=True)), is_whole=True)
    health.pulse.failed(TemporaryServerError("503"), "ab" * 16, at=site.clock.now())
    health.pulse.stands_by()
    judged = health.judge()
    assert (judged["failures_in_a_row"], judged["last_error"]) == (0, None)
    assert list(judged["attention"]) == ["stands-by"]
    health.pulse.holds_lease()
    assert list(health.judge()["because"]) == ["starting"]


def test_passes_that_are_braked_do_not_count_as_seeing(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    for _ in range(4):
        site.clock.advance(60)
        health.pulse.ended(report(site, PassOutcome.BRAKED), is_whole=True)
    assert list(health.judge()["because"]) == ["stale"]


def test_a_pass_over_some_patients_does_not_make_it_fresh(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    site.clock.advance(600)
    health.pulse.ended(report(site), is_whole=False)
    assert health.judge()["ready"] is False


def test_one_that_stands_by_is_ready_to_take_over_and_says_so(site: Site) -> None:
    health = health_of(site)
    health.pulse.stands_by()
    site.clock.advance(hours=5)
    judged = health.judge()
    assert judged["ready"] is True
    assert judged["writes"] is False
    assert "stands-by" in judged["attention"]


def test_a_state_that_cannot_be_read_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)

    def broken() -> int:
        raise StoreError("disk")

    monkeypatch.setattr(site.store, "queue_length", broken)
    assert list(health.judge()["because"]) == ["state-store"]


def test_one_that_is_stopping_is_not_ready(site: Site) -> None:
    health = health_of(site, stopping=True)
    health.pulse.ended(report(site), is_whole=True)
    assert list(health.judge()["because"]) == ["stopping"]


def test_an_engaged_brake_wants_a_person(tmp_path: Path) -> None:
    with running(tmp_path, brake__first_pass=1, waits=False) as served:
        until(lambda: bool(served.reports))
        for name in ("a", "b", "c"):
            served.put_result(name, "1+")
        served.service.inbox.wake()
        until(lambda: any(one.needs_operator for one in served.reports))
        answer = served.get("/readyz", "watch").json()
        assert "brake" in answer["attention"]


def test_a_refused_overlay_wants_a_person_and_answers_stay_those_of_the_old(tmp_path: Path) -> None:
    folder = site_toml(tmp_path / "lab")
    with running(tmp_path, policy__site_mappings=folder) as served:
        assert "mappings" not in served.get("/readyz", "watch").json()["attention"]
        site_toml(folder, '[policy]\nzero_plus = "x"')
        served.service.inbox.wake()
        until(lambda: "mappings" in served.get("/readyz", "watch").json()["attention"])
        answer = served.get("/readyz", "watch").json()
        in_force = served.service.loop.parts.catalogue.overlay_versions[0]
        assert answer["ready"] is True
        assert f"{in_force}. " in answer["attention"]["mappings"]
        site_toml(folder, '[policy]\nzero_plus = "zero"')
        served.service.inbox.wake()
        until(lambda: "mappings" not in served.get("/readyz", "watch").json()["attention"])
        assert served.service.loop.parts.context.policy.zero_plus == "zero"


def test_health_and_readiness_over_http(served: Running) -> None:
    assert served.get("/healthz").json() == {"status": "alive"}
    answer = served.get("/readyz", "watch")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["last_pass"] == "done"


def test_stale_begins_after_three_intervals(site: Site) -> None:
    health = health_of(site)
    health.pulse.ended(report(site), is_whole=True)
    site.clock.instant += timedelta(seconds=180)
    assert health.judge()["ready"] is True
    site.clock.instant += timedelta(seconds=1)
    assert health.judge()["ready"] is False

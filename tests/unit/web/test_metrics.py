"""/metrics over HTTP, read by Prometheus' own parser: it counts what happened, and names nobody (S12, H15)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from adapter.errors import StoreError
from adapter.fhir.reasons import SENTENCES
from adapter.her2.model import Category
from adapter.sync.inbox import Inbox
from adapter.sync.planning.plan import Action
from adapter.sync.pulse import Pulse
from adapter.sync.report import PassKind, PassOutcome, PassReport, SetAside
from adapter.sync.tally import OUTCOMES
from adapter.sync.writing import confirming, write_back
from adapter.traffic import Exchange, Fate, Traffic
from adapter.web import families
from adapter.web.metrics import Metrics, Sources
from tests.fakes.site import Site
from tests.unit.web.exposition import Scrape
from tests.unit.web.running import Running, running, until

HOSTILE = (
    "Canary Jane",
    "Patient/canary-1",
    'x"} 1\nforged{a="b',
    "1961-02-03",
    "\\",
    "\x00\ud7ff",
    "",
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def scraped(served: Running) -> Scrape:
    answer = served.get("/metrics", "watch")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return Scrape.of(answer.text)


def sources(site: Site, **more: Any) -> Sources:
    given: dict[str, Any] = {
        "pulse": Pulse(site.clock.now()),
        "store": site.store,
        "clock": site.clock,
        "inbox": Inbox(),
        "interval_seconds": 60.0,
        "traffic": dict,
        "mappings_refused": lambda: False,
        "build": lambda: {"version": "1", "policy": "p|1", "mappings": "m"},
        "reasons": frozenset(SENTENCES),
        **more,
    }
    return Sources(**given)


def of(metrics: Metrics) -> Scrape:
    return Scrape.of(metrics.text().decode())


def test_a_pass_is_told_with_what_it_read_decided_and_asked(served: Running) -> None:
    before = scraped(served)
    served.put_result("anna", "1+")
    served.put_result("berta", "3+")
    served.put_result("clara", "who knows")
    served.service.inbox.wake()
    until(lambda: any(one.writes for one in served.reports))
    now = scraped(served)
    assert now.one("her2_decisions_total", category="low") == 1
    assert now.one("her2_decisions_total", category="positive") == 1
    assert now.one("her2_results_read_total", outcome="unreadable") == 1
    assert sum(now.all("her2_set_aside_total").values()) == 1
    assert now.one("her2_actions_total", action="create") >= 2
    assert now.one("her2_versions_written_total") == sum(one.writes for one in served.reports)
    passes = sum(now.all("her2_passes_total", outcome="done").values())
    assert passes == sum(now.all("her2_pass_duration_seconds_count").values()) >= 2
    written = now.one(
        "her2_fhir_requests_total", server="source", interaction="transaction", outcome="ok"
    )
    assert written >= 1
    assert now.one("her2_fhir_sent_bytes_total", server="source") > 0
    assert now.one("her2_fhir_request_seconds_total", server="source") >= 0
    assert now.one("her2_lease_held") == 1
    assert now.one("her2_wakes_total") == 1
    assert now.one("her2_http_answers_total", route="/metrics", status="200") == 1
    assert before.types.keys() <= now.types.keys()


def test_what_stands_is_what_readiness_says_too(served: Running) -> None:
    now, ready = scraped(served), served.get("/readyz", "watch").json()
    assert now.one("her2_unseen_change_age_seconds") <= ready["unseen_for_seconds"]
    assert now.one("her2_queued_patients") == ready["queue"]
    assert now.one("her2_parked_results") == ready["parked"]
    assert now.one("her2_poll_interval_seconds") == 3600
    assert now.one("her2_state_readable") == 1
    for name in ("brake_engaged", "mappings_refused", "failures_in_a_row", "sync_requests_waiting"):
        assert now.one(f"her2_{name}") == 0
    (build,) = now.all("her2_build_info")
    assert {name for name, _ in build} == {"version", "policy", "mappings"}
    assert now.all("her2_access_token_seconds") == {}


def test_an_engaged_brake_and_a_refused_caller_are_counted(tmp_path: Path) -> None:
    with running(tmp_path, brake__first_pass=1, http__webhook__secret="s" * 32) as served:
        for name in ("a", "b", "c"):
            served.put_result(name, "1+")
        served.service.inbox.wake()
        until(lambda: any(one.needs_operator for one in served.reports))
        served.get("/readyz", "wrong")
        served.get("/nowhere/Patient/canary-1")
        served.post("/webhook/Observation/canary-1", headers={"X-Webhook-Secret": "guess"})
        now = scraped(served)
    assert now.one("her2_brake_engaged") == 1
    assert now.one("her2_http_answers_total", route="/readyz", status="401") == 1
    assert now.one("her2_http_answers_total", route="none", status="404") == 1
    assert now.one("her2_notifications_total", outcome="refused") == 1
    assert not any("canary" in value for _, value in now.label_values)


def test_whoever_asks_for_openmetrics_gets_it(served: Running) -> None:
    answer = served.get("/metrics", "watch", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in openmetrics(answer.text)}
    plain = scraped(served)
    assert {name.removesuffix("_total") for name in plain.types} == names


@pytest.mark.parametrize(
    ("accept", "is_given"),
    [
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            True,
        ),
        ("application/openmetrics-text; q=1, text/plain", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text; version=1.0.0; q=0.0, */*", False),
        ("application/openmetrics-text;q=none", False),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.3", False),
        ("text/html;x=application/openmetrics-text", False),
        ("*/*", False),
    ],
)
def test_openmetrics_is_given_only_to_whom_it_is_welcome(
    accept: str, is_given: bool, served: Running
) -> None:
    answer = served.get("/metrics", "watch", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text") is is_given


@pytest.mark.parametrize(
    "accept",
    ["", "x" * 4000, "application/openmetrics-text;version=ä;escaping=\x01", ";;,,=", "*/*"],
)
def test_no_header_breaks_it(served: Running, accept: str) -> None:
    answer = served.get("/metrics", "watch", headers={"Accept": accept.encode("latin-1")})
    assert answer.status_code in (200, 400)  # 400: no header may hold a control


def test_the_registry_of_the_process_stays_empty_of_us(served: Running) -> None:
    scraped(served)
    assert not any(family.name.startswith("her2") for family in REGISTRY.collect())


def test_every_label_is_of_a_closed_set_whatever_arrives() -> None:
    site, traffic = Site(), Traffic()
    given = sources(
        site,
        traffic=traffic.counts,
        token_seconds=lambda: dict.fromkeys(HOSTILE, 1.0),
        notifications=lambda: dict.fromkeys(HOSTILE, 1),
    )
    metrics = Metrics(given)
    for text in HOSTILE:
        for fate in Fate:
            traffic.meter(text)(Exchange(text, fate))
        report = PassReport(
            PassKind.SWEEP,
            PassOutcome.DONE,
            NOW,
            NOW,
            fetched=1,
            outcomes={text: 1},
            categories={text: 1},
            actions={text: 1},
            signals={text: 1},
            set_aside=(SetAside(text, text, text, text),),
            parked={text: text},
            warnings=(text,),
            traffic={text: 1},
        )
        metrics.tell(report)
        given.pulse.ended(report, is_whole=True)
    shown = of(metrics)
    allowed: dict[str, set[str]] = {
        "action": set(Action),
        "category": set(Category),
        "interaction": set(families.INTERACTIONS),
        "kind": set(families.PASS_KINDS),
        "outcome": {*OUTCOMES, *Fate, *families.PASS_OUTCOMES, *families.NOTIFICATIONS},
        "reason": set(SENTENCES),
        "server": set(families.SERVERS),
        "signal": set(families.SIGNALS),
        "version": {"1"},
        "policy": {"p|1"},
        "mappings": {"m"},
    }
    for name, value in shown.label_values:
        assert name == "le" or value in allowed[name] | {"other"}, (name, value)
    assert shown.one("her2_decisions_total", category="other") == len(HOSTILE)
    assert shown.one("her2_set_aside_total", reason="other") == len(HOSTILE)
    assert not any(text in metrics.text().decode() for text in HOSTILE[:4])


def test_the_signals_are_those_that_passes_give() -> None:
    given = {value for name, value in vars(confirming).items() if name.isupper()} | {
        write_back.ORPHAN
    }
    assert {value for value in given if isinstance(value, str)} <= set(families.SIGNALS)


def test_the_interactions_are_those_that_the_transport_counts() -> None:
    told = Exchange.__doc__ or ""
    for interaction in families.INTERACTIONS:
        assert f'"{interaction}"' in told
    assert told.count('"') == 2 * len(families.INTERACTIONS)


def test_counts_that_alerts_go_by_begin_at_zero() -> None:
    metrics = Metrics(sources(Site()))
    metrics.expect(("/sync",))
    shown = of(metrics)
    assert shown.one("her2_signals_total", signal="sees-less") == 0
    assert shown.one("her2_notifications_total", outcome="refused") == 0
    assert shown.one("her2_http_answers_total", route="/sync", status="500") == 0


def test_a_state_that_cannot_be_read_is_told_and_the_rest_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site()

    def broken() -> int:
        raise StoreError("disk")

    monkeypatch.setattr(site.store, "queue_length", broken)
    shown = of(Metrics(sources(site)))
    assert shown.one("her2_state_readable") == 0
    assert shown.all("her2_queued_patients") == {}
    assert shown.one("her2_failures_in_a_row") == 0


def test_a_token_is_told_by_the_seconds_it_holds() -> None:
    shown = of(Metrics(sources(Site(), token_seconds=lambda: {"source": 42.5})))
    assert shown.one("her2_access_token_seconds", server="source") == 42.5


def test_a_pass_that_runs_and_one_that_failed_are_told() -> None:
    site = Site()
    given = sources(site)
    given.pulse.began(site.clock.now())
    site.clock.advance(90)
    shown = of(Metrics(given))
    assert shown.one("her2_pass_under_way_seconds") == 90
    assert shown.one("her2_unseen_change_age_seconds") == 90
    given.pulse.failed(StoreError("x"), "ab" * 16, at=site.clock.now())
    shown = of(Metrics(given))
    assert shown.one("her2_failures_in_a_row") == 1
    assert shown.one("her2_pass_under_way_seconds") == 0
    assert shown.one("her2_passes_total", kind="any", outcome="failed") == 1

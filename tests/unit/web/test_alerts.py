"""The alert rules: of the right shape, about metrics that are there, each with its page."""

from __future__ import annotations

import re

import pytest

from tests.servers.prometheus import promtool
from tests.servers.required import skip_or_fail
from tests.unit.web.alerts import RULES, metrics_in, rules
from tests.unit.web.exposition import Scrape
from tests.unit.web.running import Running

OPERATE = RULES.parents[2] / "docs" / "operate.md"
NAMES = [rule["alert"] for rule in rules()]


def section(name: str) -> str:
    """What stands under the heading of this name."""
    text = OPERATE.read_text("utf-8")
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_the_file_is_one_that_prometheus_reads() -> None:
    with skip_or_fail():
        assert promtool("check", "rules", str(RULES)) == ""


def test_prometheus_finds_nothing_against_the_metrics(standing: Running) -> None:
    with skip_or_fail():
        assert promtool("check", "metrics", shown=standing.get("/metrics", "watch").text) == ""


def test_every_alert_says_how_bad_it_is_and_where_its_page_is() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for rule in rules():
        assert re.fullmatch("HER2[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "runbook"}


@pytest.mark.parametrize("rule", rules(), ids=NAMES)
def test_every_alert_has_its_page(rule: dict[str, dict[str, str]]) -> None:
    name = str(rule["alert"])
    assert rule["annotations"]["runbook"] == f"docs/operate.md#{name.lower()}"
    for part in ("**Means**", "**A patient**", "**Look**", "**Do**"):
        assert part in section(name), (name, part)


def test_every_page_has_its_alert() -> None:
    assert re.findall(r"^### (HER2\w+)$", OPERATE.read_text("utf-8"), re.MULTILINE) == NAMES


def test_every_metric_of_an_alert_is_told_from_the_start(standing: Running) -> None:
    shown = Scrape.of(standing.get("/metrics", "watch").text)
    there = {name for name, _ in shown.values}
    for rule in rules():
        if rule["expr"].startswith("up{"):  # Prometheus' own, by the job of the page
            assert "job_name: her2-adapter" in OPERATE.read_text("utf-8")
            continue
        assert metrics_in(rule["expr"]), rule["alert"]
        assert metrics_in(rule["expr"]) <= there, rule["alert"]
        for label, value in re.findall(r'([a-z_]+)="([^"]+)"', rule["expr"]):
            assert any((label, value) in labels for _, labels in shown.values), rule["alert"]

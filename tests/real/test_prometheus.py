"""A real Prometheus beside a service, as docs/operate.md sets it up: let in, it takes the rules and sees red (H15)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from tests.servers import prometheus
from tests.servers.prometheus import Prometheus
from tests.servers.required import skip_or_fail
from tests.unit.web.alerts import RULES, rules
from tests.unit.web.running import TOKENS, Running, running, until

pytestmark = pytest.mark.real

OPERATE = RULES.parents[2] / "docs" / "operate.md"
SECONDS = 60.0


class Watched:
    """A service, a FHIR server that can turn it away, and what Prometheus says."""

    def __init__(self) -> None:
        self.turns_away = Event()
        self.service: Running
        self.prometheus: Prometheus

    def answered(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        return FhirResponse(401, "{}") if self.turns_away.is_set() else answer(request)

    def until(self, seen: Callable[[dict[str, str]], bool]) -> None:
        """Wait until the alerts are like this."""
        until(lambda: seen(self.prometheus.alerts()), seconds=SECONDS)


Watch = Callable[..., Watched]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Start all three; `token`: what Prometheus shows."""
    with ExitStack() as opened:

        def started(token: str = TOKENS["watch"]) -> Watched:
            one = Watched()
            sandbox = opened.enter_context(Sandbox(layers=[one.answered]))
            one.service = opened.enter_context(
                running(tmp_path, sandbox=sandbox, poll__interval_seconds=0.5)
            )
            asked = configured(one.service.url, token, tmp_path)
            with skip_or_fail():
                one.prometheus = opened.enter_context(prometheus.running(asked, tmp_path))
            return one

        yield started


def configured(url: str, token: str, folder: Path) -> dict[str, Any]:
    """Give the configuration of the docs with this target, this token, and a scrape every second."""
    (block,) = re.findall(
        r"```yaml\n(scrape_configs:.*?)```", OPERATE.read_text("utf-8"), re.DOTALL
    )
    asked: dict[str, Any] = yaml.safe_load(block)
    (job,) = asked["scrape_configs"]
    file = folder / "watch-token"
    file.write_text(token, "utf-8")
    job["authorization"]["credentials_file"] = str(file)
    job["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
    assert asked["rule_files"] == [RULES.name]
    asked["rule_files"] = [str(RULES)]
    asked["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return asked


def test_it_is_let_in_takes_every_rule_and_is_calm(watch: Watch) -> None:
    one = watch()
    until(lambda: set(one.prometheus.targets().values()) == {"up"}, seconds=SECONDS)
    until(lambda: {rule["health"] for rule in one.prometheus.rules()} == {"ok"}, seconds=SECONDS)
    assert [rule["name"] for rule in one.prometheus.rules()] == [rule["alert"] for rule in rules()]
    one.until(lambda alerts: alerts == {})


def test_one_that_is_not_let_in_is_red(watch: Watch) -> None:
    one = watch(token="wrong" * 8)
    one.until(lambda alerts: {"HER2AdapterDown", "HER2InstanceDown"} <= alerts.keys())
    assert set(one.prometheus.targets().values()) == {"down"}


def test_a_token_that_the_fhir_server_refuses_is_red_and_calm_again_when_it_is_taken(
    watch: Watch,
) -> None:
    one = watch()
    one.until(lambda alerts: alerts == {})
    one.turns_away.set()
    one.until(lambda alerts: alerts.get("HER2PassesFail") == "firing")
    one.turns_away.clear()
    one.until(lambda alerts: "HER2PassesFail" not in alerts)


def test_an_http_side_that_is_gone_is_red(watch: Watch) -> None:
    one = watch()
    one.until(lambda alerts: alerts == {})
    http = one.service.service._http
    assert http is not None
    http.stop()
    one.until(lambda alerts: {"HER2AdapterDown", "HER2InstanceDown"} <= alerts.keys())

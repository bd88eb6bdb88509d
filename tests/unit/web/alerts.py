"""The alert rules, judged by Prometheus' own promtool over what was scraped."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.servers.prometheus import promtool
from tests.servers.required import skip_or_fail
from tests.unit.web.exposition import Labels, Scrape

RULES: Final = Path(__file__).parents[3] / "deploy" / "prometheus" / "her2-adapter.rules.yml"
_BEGINS: Final = 60
"""promtool's time begins at 0, and the first scrape is made so many seconds later."""
_TIMES: Final = ("her2_clock_seconds", "her2_start_time_seconds")
"""Series whose value is a time, which has to be in promtool's time too."""
_AS_SCRAPED: Final = {"instance": "127.0.0.1:8765", "job": "her2-adapter"}
"""What Prometheus adds to each series, under the job of docs/operate.md."""


@dataclass(frozen=True)
class At:
    """A scrape, and when Prometheus made it by its own clock."""

    seconds: float
    scrape: Scrape


def rules() -> list[dict[str, Any]]:
    """Every rule of the file."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics_in(expression: str) -> set[str]:
    """The series that an expression asks for."""
    return set(re.findall(r"\bher2_[a-z_]+", expression))


def assert_red(
    history: Sequence[At], alert: str, folder: Path, *, seconds: int | None = None
) -> None:
    """Hold that the alert's expression was true in the last so many seconds, or ever, whatever its `for` says."""
    assert alert in {rule["alert"] for rule in rules()}, alert
    span = seconds or _offset(history, history[-1]) - _BEGINS
    seen = f'count(count_over_time(ALERTS{{alertname="{alert}"}}[{span}s])) > bool 0'
    _assert_that(history, seen, [{"labels": "{}", "value": 1}], folder)


def assert_calm(history: Sequence[At], folder: Path) -> None:
    """Hold that no alert's expression was true at the last of these scrapes."""
    _assert_that(history, "ALERTS", [], folder)


def _assert_that(
    history: Sequence[At], expression: str, samples: list[dict[str, Any]], folder: Path
) -> None:
    at = _offset(history, history[-1])
    test = {
        "interval": "1s",
        "input_series": _series(history),
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{at}s", "exp_samples": samples},
        ],
    }
    told = {"rule_files": [str(RULES)], "evaluation_interval": "1s", "tests": [test]}
    file = folder / "alerts.json"
    file.write_text(json.dumps(told), "utf-8")  # JSON is YAML
    with skip_or_fail():
        assert promtool("test", "rules", str(file)) == ""


def _series(history: Sequence[At]) -> list[dict[str, str]]:
    """Write the scrapes as promtool reads them: a value for each second, "_" where none was scraped."""
    zero = history[0].seconds - _BEGINS
    names = {key: None for one in history for key in one.scrape.values}  # in order
    return [
        {"series": _written(*key), "values": " ".join(_values(key, history, zero))} for key in names
    ]


def _values(key: tuple[str, Labels], history: Sequence[At], zero: float) -> list[str]:
    written, next_second = [], 0
    for one in history:
        if (value := one.scrape.values.get(key)) is None:
            continue
        second = _offset(history, one)
        if second > next_second:
            written.append(f"_x{second - next_second}")
        written.append(f"{value - zero if key[0] in _TIMES else value:f}")
        next_second = second + 1
    return written


def _offset(history: Sequence[At], one: At) -> int:
    return round(one.seconds - history[0].seconds) + _BEGINS


def _written(name: str, labels: Labels) -> str:
    shown = sorted({**_AS_SCRAPED, **dict(labels)}.items())
    return name + "{" + ", ".join(f"{label}={json.dumps(value)}" for label, value in shown) + "}"

"""The alert rules, evaluated over scrapes: as much of PromQL as they use, and nothing is guessed about the rest.

It is no Prometheus: labels are looked at in selectors only, and an operator between vectors takes one sample of each.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

from tests.unit.web.exposition import Scrape

RULES: Final = Path(__file__).parents[3] / "deploy" / "prometheus" / "her2-adapter.rules.yml"

_SELECTOR = re.compile(r"(her2_[a-z_]+|up)(?:\{(.*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(=~|=)"([^"]*)"')
_CALL = re.compile(r"(\w+)(?: without \([a-z, ]+\))? ?\((.*)\)")
_RANGE = re.compile(r"(.*)\[\d+[mhd]\]")
_OVER_TIME: Final[dict[str, Callable[[list[float]], float]]] = {
    "increase": lambda values: values[-1] - values[0],
    "changes": lambda values: float(sum(a != b for a, b in pairwise(values))),
}
_VECTOR: Final[dict[str, Callable[[list[float]], list[float]]]] = {
    "abs": lambda values: [abs(one) for one in values],
    "min": lambda values: [min(values)] if values else [],
    "max": lambda values: [max(values)] if values else [],
    "sum": lambda values: [sum(values)] if values else [],
}
_COMPARISONS: Final = {">=": operator.ge, "==": operator.eq, ">": operator.gt}
_OPERATORS: Final = {"/": operator.truediv, "-": operator.sub}


@dataclass(frozen=True)
class At:
    """A scrape, and when Prometheus made it by its own clock."""

    seconds: float
    scrape: Scrape


def rules() -> list[dict[str, Any]]:
    """Every rule of the file."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def firing(history: Sequence[At]) -> set[str]:
    """The alerts whose expression is true after these scrapes, whatever their `for` says."""
    return {rule["alert"] for rule in rules() if is_true(rule["expr"], history)}


def is_true(expression: str, history: Sequence[At]) -> bool:
    """Whether an alert's expression gives anything."""
    found = re.fullmatch(r"(.*) (>=|==|>) (\d+)", expression)
    if found is None:
        return bool(_vector(expression, history))
    left, compare, number = found.groups()
    return any(_COMPARISONS[compare](one, float(number)) for one in _vector(left, history))


def metrics_in(expression: str) -> set[str]:
    """The series that an expression asks for."""
    return set(re.findall(r"\bher2_[a-z_]+", expression))


def _vector(expression: str, history: Sequence[At]) -> list[float]:
    call = _CALL.fullmatch(expression)
    if call is not None:
        return _called(call[1], call[2], history)
    for sign, apply in _OPERATORS.items():
        left, found, right = expression.partition(f" {sign} ")
        if found:
            both = zip(_vector(left, history), _vector(right, history), strict=True)
            return [apply(*one) for one in both]
    return list(_selected(expression, history[-1].scrape).values())


def _called(name: str, inner: str, history: Sequence[At]) -> list[float]:
    ranged = _RANGE.fullmatch(inner)
    if ranged is not None:
        over = [_selected(ranged[1], one.scrape) for one in history]
        known = {key for one in over for key in one}
        return [_OVER_TIME[name]([one[key] for one in over if key in one]) for key in known]
    if name == "absent":
        return [] if _selected(inner, history[-1].scrape) else [1.0]
    if name == "timestamp":
        return [history[-1].seconds for _ in _selected(inner, history[-1].scrape)]
    return _VECTOR[name](_vector(inner, history))


def _selected(selector: str, scrape: Scrape) -> dict[object, float]:
    found = _SELECTOR.fullmatch(selector)
    assert found is not None, f"not understood: {selector}"
    wanted = [(label, re.compile(text)) for label, _, text in _MATCHER.findall(found[2] or "")]
    return {
        labels: value
        for labels, value in scrape.all(found[1]).items()
        if all(pattern.fullmatch(dict(labels).get(label, "")) for label, pattern in wanted)
    }

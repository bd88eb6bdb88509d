"""What a run measured: read from pytest's JUnit file, kept beside the page, one for each test and share.

A run replaces what an earlier run of the same test gave and leaves the others, so that a figure
that takes hours stays, with the commit and the day of its own measurement.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Circumstances:
    """Where and when: "full" or "ci" share, commit, cores and Python, day."""

    share: str
    commit: str
    machine: str
    date: str


@dataclass(frozen=True, order=True)
class Figure:
    """One measured sentence. `outcome`: passed, failed or skipped; `figure` of a skip is its reason."""

    promise: str
    test: str
    outcome: str
    figure: str
    seconds: int
    at: Circumstances

    @property
    def command(self) -> str:
        """What anyone can run to measure it again."""
        return ("HER2_PROVE=full " if self.at.share == "full" else "") + f"pytest {self.test}"


def read_junit(text: str, at: Circumstances) -> Iterator[Figure]:
    """Give the figures of a JUnit file: test cases with the properties `promise` and `figure`.

    A test that failed or was skipped before it named its promise is none of ours, and left out.
    """
    for case in ET.fromstring(text).iter("testcase"):
        promises = _properties(case, "promise")
        figures = _properties(case, "figure")
        outcome, reason = _outcome(case)
        for position, promise in enumerate(promises):
            figure = figures[position] if position < len(figures) else ""
            if outcome == "passed" and not figure:
                continue  # nothing was measured, so nothing is said
            yield Figure(
                promise=promise,
                test=_node_id(case),
                outcome=outcome,
                figure=reason if outcome == "skipped" else figure,
                seconds=round(float(case.get("time", "0"))),
                at=at,
            )


def merged(kept: Iterable[Figure], fresh: Iterable[Figure]) -> list[Figure]:
    """Put what was measured now in the place of what the same tests gave before.

    A skip says nothing new, and does not replace a figure.
    """
    place = {(one.test, one.promise, one.at.share): one for one in kept}
    for one in fresh:
        key = (one.test, one.promise, one.at.share)
        if one.outcome != "skipped" or key not in place:
            place[key] = one
    return sorted(place.values())


def load(file: Path) -> list[Figure]:
    """Read the figures kept; none where there is no file yet."""
    if not file.exists():
        return []
    rows = json.loads(file.read_text("utf-8"))
    return [Figure(**{**row, "at": Circumstances(**row["at"])}) for row in rows]


def keep(figures: Iterable[Figure], file: Path) -> None:
    """Write them, so that a difference can be read."""
    rows = [asdict(one) for one in figures]
    file.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _properties(case: ET.Element, name: str) -> list[str]:
    return [one.get("value", "") for one in case.iter("property") if one.get("name") == name]


def _outcome(case: ET.Element) -> tuple[str, str]:
    for one in case:
        if one.tag in ("failure", "error"):
            return "failed", ""
        if one.tag == "skipped":
            return "skipped", one.get("message", "")
    return "passed", ""


def _node_id(case: ET.Element) -> str:
    """Turn "tests.promises.test_x" and a name into what pytest is asked for."""
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"

"""`docs/continuity.md`: each paragraph is backed by tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.architecture.known_tests import ROOT, is_known

PARTS = re.split(r"(?m)^## ", (ROOT / "docs" / "continuity.md").read_text("utf-8"))[1:]
SPOKEN_OF = (
    "restarted",
    "down",
    "away for good",
    "twice",
    "forged",
    "corrects",
    "restored",
    "state is lost",
    "Two adapters",
    "new version",
    "erased",
)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.splitlines()[0])
def test_a_paragraph_is_backed_by_tests_that_exist(part: str) -> None:
    named = re.findall(r"(?m)^- `([^`]+)`$", part)

    assert named
    assert [test for test in named if not is_known(test)] == []


def test_every_event_that_was_promised_has_its_paragraph() -> None:
    titles = " | ".join(part.splitlines()[0] for part in PARTS)

    assert [word for word in SPOKEN_OF if word not in titles] == []

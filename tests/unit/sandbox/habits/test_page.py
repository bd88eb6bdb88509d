"""docs/sandbox.md says of every habit and profile what the registry says, and what it shows works."""

from __future__ import annotations

import re

from adapter.sandbox.habits.registry import HABITS
from adapter.sandbox.pytest_plugin import HostileFhir
from tests.unit.sandbox.habits.page import PAGE, filled

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_registry() -> None:
    assert filled(TEXT) == TEXT, "run make docs"
    for habit in HABITS:
        assert re.search(rf"^\| `{habit.name}[=`]", TEXT, re.MULTILINE)


def test_every_habit_that_the_page_speaks_of_is_there() -> None:
    options = re.findall(r"--habit ([a-z-]+)", TEXT)
    keys = re.findall(r"\"([a-z]+-[a-z-]+)\":", TEXT)

    assert len(options) > 1
    assert len(keys) > 4
    assert {*options, *keys} <= {habit.name for habit in HABITS}


def test_everything_that_the_fixture_offers_is_told() -> None:
    public = {name for name in vars(HostileFhir) if not name.startswith("_")}

    assert {name for name in public if not re.search(rf"`[^`]*\b{name}\b", TEXT)} == set()

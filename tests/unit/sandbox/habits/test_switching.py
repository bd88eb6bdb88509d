"""Habits are off until asked for, named, checked, switched while the server runs, and repeatable by a seed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import ConfigError
from adapter.sandbox.habits.active import ActiveHabits
from adapter.sandbox.habits.habit import Habit
from adapter.sandbox.habits.profiles import PROFILES, profile_named
from adapter.sandbox.habits.registry import HABITS
from adapter.sandbox.rules import utc_now
from adapter.sandbox.seams import Seams
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, observation, patient

NAMES = [habit.name for habit in HABITS]
HERE = Path(__file__).parent


def test_a_sandbox_begins_without_habits() -> None:
    with Sandbox() as sandbox:
        assert sandbox.habits.on == {}


@pytest.mark.parametrize("habit", HABITS, ids=NAMES)
def test_every_habit_can_be_put_on_alone_and_says_what_it_does(habit: type[Habit]) -> None:
    habits = ActiveHabits(utc_now)
    habits.choose({habit.name: True})

    assert habits.on == {habit.name: habit.default}
    assert habit.does
    assert habit.seen
    assert bool(habit.takes) == bool(habit.default)


def test_names_are_given_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_every_habit_has_a_test_that_asks_a_running_server() -> None:
    named: set[str] = set()
    for file in HERE.glob("test_*.py"):
        if file == Path(__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)

    assert set(NAMES) - named == set()


def test_all_of_a_seam_is_passed_on_to_the_habits() -> None:
    seams = {name for name, item in vars(Seams).items() if callable(item)}

    assert seams <= set(vars(ActiveHabits))


def test_everything_wrong_is_told_at_once_and_nothing_changes() -> None:
    habits = ActiveHabits(utc_now)
    habits.choose({"second-precision": True})
    with pytest.raises(ConfigError) as told:
        habits.choose({"nonsense": True, "late-commits": "soon", "second-precision": "very"})

    assert len(told.value.problems) == 3
    assert "'nonsense'" in told.value.problems[0]
    assert habits.on == {"second-precision": ""}
    with pytest.raises(ConfigError, match="no sandbox profile 'saintly': hapi, medplum"):
        habits.choose(profile="saintly")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("late-commits", "-1"),
        ("late-commits", "nan"),
        ("throttled", "0"),
        ("throttled", "1.5"),
        ("throttled", "3:never"),
        ("lost-responses", "3:often"),
        ("no-client-ids", "200"),
        ("bundle-cap", "0"),
        ("foreign-next-links", "far"),
        ("transactions-as-batches", "batch"),
        ("no-conditional-create", "yes"),
        ("if-match-ignored", "yes"),
    ],
)
def test_a_value_that_a_habit_cannot_take_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"the habit {name} takes .*, not '{value}'"):
        ActiveHabits(utc_now).choose({name: value})


def test_one_habit_is_switched_and_the_others_remember_where_they_are(sandbox: Sandbox) -> None:
    fhir = Client(sandbox.base_url)
    with fhir.session:
        sandbox.habits.choose({"unauthorised": 2})
        assert fhir.put(patient(id="a")).status_code == 201
        sandbox.habits.switch({"late-commits": 5})
        assert sandbox.habits.on == {"unauthorised": "2", "late-commits": "5"}
        assert fhir.get("Patient/a").status_code == 401
        sandbox.habits.switch({"unauthorised": False})
        assert sandbox.habits.on == {"late-commits": "5"}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_every_profile_can_be_put_on_and_names_habits_only(profile: Any, sandbox: Sandbox) -> None:
    sandbox.habits.choose(profile=profile.name)

    assert set(sandbox.habits.on) == set(profile.habits)
    assert profile.says


def test_habits_add_to_a_profile_and_may_switch_off_what_it_has(sandbox: Sandbox) -> None:
    whole = dict(profile_named("hapi").habits)
    sandbox.habits.choose({"search-cache": False, "late-commits": 7}, profile="hapi")

    assert sandbox.habits.on == {
        **{name: value for name, value in whole.items() if name != "search-cache"},
        "late-commits": "7",
    }


def test_the_same_seed_repeats_what_happens_at_random_whatever_else_is_on(
    sandbox: Sandbox,
) -> None:
    fhir = Client(sandbox.base_url)

    def refused(seed: int, **others: object) -> list[int]:
        sandbox.habits.choose({"unauthorised": 0.4, **others}, seed=seed)
        return [fhir.get("Patient/none").status_code for _ in range(40)]

    with fhir.session:
        first = refused(1)
        assert refused(1, **{"late-commits": 60}) == first
        assert refused(2) != first
        assert 5 < first.count(401) < 30


def test_habits_are_shown_set_and_changed_from_another_process(sandbox: Sandbox) -> None:
    fhir = Client(sandbox.base_url)
    url = sandbox.base_url.removesuffix("/fhir") + "/_sandbox/habits"
    plain = {"content_type": "application/json"}
    with fhir.session:
        assert fhir.get(url).json() == {}
        chosen = fhir.send("PUT", url, {"profile": "hapi", "seed": 3, "late-commits": 5}, **plain)
        assert chosen.json() == {**profile_named("hapi").habits, "late-commits": "5"}
        fhir.send("PUT", url, {"late-commits": 5}, **plain)
        changed = fhir.send("PATCH", url, {"second-precision": True}, **plain)
        assert (
            changed.json() == {"late-commits": "5", "second-precision": ""} == fhir.get(url).json()
        )
        for body in ({"nonsense": 1}, {"profile": "saintly"}, {"late-commits": [1]}, [], b"{"):
            refused = fhir.send("PATCH", url, body, **plain)
            assert (refused.status_code, len(refused.json()["problems"])) == (400, 1)
        assert sandbox.habits.on == {"late-commits": "5", "second-precision": ""}
        assert fhir.send("PUT", url, b"{}", content_type="text/plain").status_code == 400
        assert fhir.delete(url).status_code == 405
        assert fhir.put(observation(id="o")).status_code == 201
        assert sandbox.habits.on

"""The habits that are on, put together; they can be changed while the server runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from random import Random
from threading import Lock

from adapter.errors import ConfigError
from adapter.sandbox.calls import Call
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse, with_layers
from adapter.sandbox.habits.habit import Habit, Scene
from adapter.sandbox.habits.profiles import profile_named
from adapter.sandbox.habits.registry import HABITS
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.rules import Clock
from adapter.sandbox.seams import Key, Seams

Given = Mapping[str, object]
"""Habits by name: a value (text or number), True for the habit's own default, False for off."""


class ActiveHabits(Seams):
    """All habits that are on, in the registry's order: the first is the outermost layer."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none; `clock` is the server's."""
        self._clock = clock
        self._lock = Lock()
        self._seed = 0
        self._habits: tuple[Habit, ...] = ()

    @property
    def on(self) -> dict[str, str]:
        """The habits that are on, with their values."""
        return {habit.name: habit.value for habit in self._habits}

    def choose(
        self, habits: Given | None = None, *, profile: str | None = None, seed: int = 0
    ) -> None:
        """Put on exactly these habits, on top of those of a profile; all begin anew.

        The same seed, habits and requests give the same behaviour.

        Raises: ConfigError naming every unknown profile or habit and every wrong value; nothing changed.
        """
        given: dict[str, object] = dict(profile_named(profile).habits) if profile else {}
        self._put_on({**given, **(habits or {})}, seed=seed, kept={})

    def switch(self, habits: Given) -> None:
        """Change these habits and leave the others, with all they remember, as they are.

        Raises: ConfigError as `choose` does; nothing changed.
        """
        with self._lock:
            kept = {habit.name: habit for habit in self._habits if habit.name not in habits}
            seed = self._seed
        self._put_on({**dict.fromkeys(kept, True), **habits}, seed=seed, kept=kept)

    def _put_on(self, given: Given, *, seed: int, kept: Mapping[str, Habit]) -> None:
        known = {kind.name for kind in HABITS}
        problems = [
            f"there is no habit {name!r}; `her2-adapter sandbox --list-habits` shows them all"
            for name in given
            if name not in known
        ]
        made: list[Habit] = []
        for kind in HABITS:
            value = given.get(kind.name, False)
            if kind.name in kept:
                made.append(kept[kind.name])
            elif value is not False:
                scene = Scene(self._clock, Random(f"{seed}:{kind.name}"))  # noqa: S311 - a test's dice
                text = kind.default if value is True or value == "" else str(value)
                try:
                    made.append(kind(text, scene))
                except ValueError as error:
                    problems.append(f"the habit {kind.name} {error}, not {text!r}")
        if problems:
            raise ConfigError(problems)
        with self._lock:
            self._seed = seed
            self._habits = tuple(made)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Answer one request through the layers of all habits."""
        return with_layers(answer, [habit.around for habit in self._habits])(request)

    def moment(self, now: datetime) -> datetime:
        """Ask each habit in turn."""
        for habit in self._habits:
            now = habit.moment(now)
        return now

    def call(self, call: Call) -> Call:
        """Ask each habit in turn."""
        for habit in self._habits:
            call = habit.call(call)
        return call

    def client_id(self, key: Key) -> None:
        """Let each habit refuse."""
        for habit in self._habits:
            habit.client_id(key)

    def content(self, resource: JsonObject) -> JsonObject:
        """Ask each habit in turn."""
        for habit in self._habits:
            resource = habit.content(resource)
        return resource

    def version_id(self, key: Key, number: int) -> str:
        """Return what the first habit says that gives another id than a good server."""
        plain = str(number)
        said = (habit.version_id(key, number) for habit in self._habits)
        return next((one for one in said if one != plain), plain)

    def wrote(self, key: Key) -> None:
        """Tell each habit."""
        for habit in self._habits:
            habit.wrote(key)

    def finds(self, key: Key) -> bool:
        """Say whether no habit hides it."""
        return all(habit.finds(key) for habit in self._habits)

    def gap_seconds(self) -> float:
        """Return the longest gap."""
        return max((habit.gap_seconds() for habit in self._habits), default=0.0)

    def creates_twice(self) -> bool:
        """Say whether one does."""
        return any(habit.creates_twice() for habit in self._habits)

    def keeps_result_sets(self) -> bool:
        """Say whether all do."""
        return all(habit.keeps_result_sets() for habit in self._habits)

    def versions_equal_content(self) -> bool:
        """Say whether one does."""
        return any(habit.versions_equal_content() for habit in self._habits)

    def refuses_deleting_referenced(self) -> bool:
        """Say whether one does."""
        return any(habit.refuses_deleting_referenced() for habit in self._habits)

    def transaction_answer(self) -> str:
        """Return what the first habit says that says something."""
        return next(filter(None, (habit.transaction_answer() for habit in self._habits)), "")

    def batch_entry(self) -> None:
        """Let each habit refuse."""
        for habit in self._habits:
            habit.batch_entry()

    def statement(self, statement: JsonObject) -> JsonObject:
        """Ask each habit in turn."""
        for habit in self._habits:
            statement = habit.statement(statement)
        return statement

"""`sandbox` runs a small FHIR server on this machine, good or with the habits of real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.exit_codes import DONE, INTERRUPTED
from adapter.cli.printing import Block, print_blocks, say, write_out
from adapter.cli.shared import Shared
from adapter.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
Database = Annotated[
    Path | None, typer.Option("--database", help="SQLite file to keep; else memory only.")
]

Habits = Annotated[
    list[str] | None,
    typer.Option(
        "--habit", metavar="NAME[=VALUE]", help="A bad habit of real servers; may be repeated."
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", help="The habits of one: hapi, medplum, healthlake, epic, evil."),
]
Seed = Annotated[int, typer.Option("--seed", help="Repeats what habits do at random.")]
ListHabits = Annotated[
    bool, typer.Option("--list-habits", help="Show all habits and profiles, and end.")
]


def sandbox(  # noqa: PLR0913 - each parameter is an option of the command
    shared: Shared,
    port: Port = 8080,
    database: Database = None,
    *,
    habits: Habits = None,
    profile: Profile = None,
    seed: Seed = 0,
    list_habits: ListHabits = False,
) -> int:
    """Run a small FHIR R4 server on loopback, to try things on; stop it with Ctrl-C.

    It asks nobody who they are and no other machine can reach it. Its base URL is printed. It is a good
    server, unless it is given the habits of a real one: docs/sandbox.md.
    """
    from adapter.sandbox.server import Sandbox

    if list_habits:
        print_blocks(shared.form, _listed_habits())
        return DONE
    given = dict(_named(text) for text in habits or ())
    where = str(database) if database else ":memory:"
    with stop_on_signals() as stop, Sandbox(port, where) as server:
        server.habits.choose(given, profile=profile, seed=seed)
        write_out(server.base_url)
        sys.stdout.flush()  # a script may wait for this line
        say("The sandbox answers; Ctrl-C stops it.", *_said_of(server.habits.on))
        stop.event.wait()
    return INTERRUPTED if stop.was_interrupted else DONE


def _named(text: str) -> tuple[str, str | bool]:
    name, has_value, value = text.partition("=")
    return name, value if has_value else True


def _said_of(habits: dict[str, str]) -> Iterator[str]:
    for name, value in habits.items():
        yield f"Habit {name}{'=' if value else ''}{value}"


def _listed_habits() -> list[Block]:
    from adapter.sandbox.habits.profiles import PROFILES
    from adapter.sandbox.habits.registry import HABITS

    habits = [
        {
            "name": one.name,
            "value": one.takes,
            "default": one.default,
            "does": one.does,
            "seen": one.seen,
        }
        for one in HABITS
    ]
    columns = {
        "name": "Habit",
        "value": "Value",
        "default": "Default",
        "does": "What it does",
        "seen": "Who does so",
    }
    profiles = [
        {"name": one.name, "does": one.says, "habits": " ".join(_said_short(one.habits))}
        for one in PROFILES
    ]
    named = {"name": "Profile", "does": "What it is like", "habits": "Its habits"}
    return [Block("Habits", columns, habits), Block("Profiles", named, profiles)]


def _said_short(habits: Mapping[str, str]) -> Iterator[str]:
    for name, value in habits.items():
        yield f"{name}={value}" if value else name

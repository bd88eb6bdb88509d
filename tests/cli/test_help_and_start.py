"""Every command explains itself, at once: help and version are there, and nothing heavy is loaded for them."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import adapter
from adapter.cli.app import app
from adapter.cli.shared import PolicyName
from adapter.her2.policy import POLICIES

HEAVY = ("sqlalchemy", "requests", "fhir", "pydantic_settings", "starlette", "structlog")


def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, found in group.commands.items():
        yield (*before, name)
        if hasattr(found, "commands"):
            yield from commands(found, (*before, name))


ALL = sorted(commands(typer.main.get_command(app)))


def test_the_commands_are_those_that_are_promised() -> None:
    promised = (
        "sync run classify derive explain verify table mappings status unmapped parked queue withdraw audit brake "
        "erase config doctor sandbox demo torture subscribe go-live-report"
    )

    assert {path[0] for path in ALL} == set(promised.split())
    assert {" ".join(path) for path in ALL if len(path) == 2} == {
        "audit head",
        "audit show",
        "audit verify",
        "brake release",
        "brake show",
        "mappings add",
        "mappings check",
        "mappings diff",
        "mappings list",
        "mappings package",
        "parked list",
        "parked retry",
        "queue list",
        "queue drop",
        "subscribe create",
        "subscribe remove",
        "subscribe show",
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"])

    assert shown.exit_code == 0
    assert "Usage:" in shown.output


@pytest.mark.parametrize(
    "path", [path for path in ALL if path not in {other[:-1] for other in ALL}], ids=" ".join
)
def test_every_command_has_the_shared_options(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}).output

    for option in ("--config", "--output", "-o", "--log-format", "--policy", "--version"):
        assert option in shown


def test_the_version_is_told_before_and_after_a_command() -> None:
    for arguments in (["--version"], ["classify", "--version"]):
        shown = CliRunner().invoke(app, arguments)

        assert shown.output.split() == ["her2-adapter", adapter.__version__]


def test_the_policies_offered_are_those_of_the_core() -> None:
    assert {policy.value for policy in PolicyName} == set(POLICIES)


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from adapter.cli.main import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert shown.stderr.strip() == "[]"


def test_help_feels_instant() -> None:
    """Processor time, which other work on the machine does not change."""
    best = min(_processor_seconds() for _ in range(3))

    assert best < 0.5


def _processor_seconds() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "adapter", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)

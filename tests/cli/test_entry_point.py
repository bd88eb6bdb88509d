"""Whatever a command raises becomes one sentence and one exit code; a bug never shows what a laboratory wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import structlog
import typer

from adapter import errors, logs
from adapter.cli.main import main
from adapter.cli.shared import Shared, command

SECRET = "Jane Doe, HER2 3+"


def application(error: BaseException) -> typer.Typer:
    """An application whose one command raises."""
    app = typer.Typer()
    app.callback()(lambda: None)

    def fail(shared: Shared) -> None:
        raise error

    command(app)(fail)
    return app


@pytest.fixture(autouse=True)
def _nothing_has_set_up_the_log() -> Iterator[None]:
    """A defect may come before the settings were read."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError(["a", "b"]), 2),
        (errors.InputError("no FHIR", code="not-fhir"), 2),
        (errors.MappingError(["file: $: wrong"]), 2),
        (errors.TemporaryServerError("no answer"), 3),
        (errors.NotAuthorised("no", status=401), 3),
        (errors.NotFhirR4("R5"), 3),
        (errors.StoreError("disk full"), 3),
        (errors.BrakeEngaged("too much"), 5),
        (errors.InvalidRecord("Observation/1", ["status: missing"]), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_error_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    assert main(["fail"], application=application(error)) == code
    assert capsys.readouterr().out == ""


def test_all_problems_of_the_settings_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fail"], application=application(errors.ConfigError(["one is wrong", "two is too"])))

    told = capsys.readouterr().err.splitlines()
    assert told == ["her2-adapter: one is wrong", "her2-adapter: two is too"]


def test_a_bug_ends_in_1_with_an_event_id_that_is_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("json")
    code = main(["fail"], application=application(ValueError(SECRET)))
    told = capsys.readouterr().err

    assert code == 1
    found = re.search(r"A defect of the adapter \(ValueError\), event ([0-9a-f]{32})", told)
    assert found is not None
    assert told.count(found[1]) == 2


def test_a_bug_shows_nothing_of_what_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fail"], application=application(ValueError(SECRET)))

    shown = "".join(capsys.readouterr())
    assert "Jane" not in shown
    assert "Traceback" not in shown

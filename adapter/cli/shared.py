"""The options that every command has, and what every command does around its own work."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import adapter
from adapter.cli.exit_codes import DONE, INTERRUPTED
from adapter.cli.printing import Output, default_output

if TYPE_CHECKING:
    from adapter.settings import Settings


class LogFormat(StrEnum):
    """How log lines on stderr look."""

    CONSOLE = "console"
    JSON = "json"


class PolicyName(StrEnum):
    """The policies there are; a test holds that these are those of the core."""

    ASCO_CAP_2023 = "asco-cap-2023"
    BASIC = "basic"


@dataclass(frozen=True)
class Shared:
    """What the shared options said; None where they did not."""

    config: Path | None = None
    output: StrEnum | None = None
    log_format: LogFormat | None = None
    policy: PolicyName | None = None

    @property
    def form(self) -> Output:
        """The form of output: as asked for, else a table on a terminal and NDJSON elsewhere."""
        return Output(self.output) if self.output else default_output()

    def settings(self, *, quiet: bool = False, **overrides: Any) -> Settings:
        """Load the settings and set up the log; raises ConfigError with every problem.

        `quiet`: the command says itself what it did, so that the log tells of warnings only, where
        no level was asked for. `overrides`: further settings from the command line, dots written as
        two underscores.
        """
        from adapter import logs
        from adapter.settings import load_settings

        said = {"policy.name": self.policy, "log.format": self.log_format}
        said |= {name.replace("__", "."): value for name, value in overrides.items()}
        settings = load_settings(
            self.config, {k: str(v) if isinstance(v, StrEnum) else v for k, v in said.items()}
        )
        urls = [url for url in (settings.source.url, settings.target.url) if url]
        is_chosen = "log.level" in settings.origins
        level = "warning" if quiet and not is_chosen else settings.log.level
        logs.configure(settings.log.format, level, base_urls=urls)
        return settings


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"her2-adapter {adapter.__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", help="Print the version and end.", is_eager=True, callback=_print_version
    ),
]


def _shared_parameters(outputs: type[StrEnum]) -> list[inspect.Parameter]:
    """Give the shared options as parameters, in the order in which help shows them."""
    annotations: dict[str, Any] = {
        "output": Annotated[
            outputs | None,
            typer.Option(
                "--output", "-o", help="Form of stdout; a table on a terminal, else ndjson."
            ),
        ],
        "policy": Annotated[
            PolicyName | None, typer.Option("--policy", help="Which rules decide.")
        ],
        "config": Annotated[
            Path | None, typer.Option("--config", metavar="FILE", help="TOML file with settings.")
        ],
        "log_format": Annotated[
            LogFormat | None, typer.Option("--log-format", help="Form of the log on stderr.")
        ],
        "version": Version,
    }
    defaults = {"version": False}
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(name),
            annotation=annotation,
        )
        for name, annotation in annotations.items()
    ]


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    outputs: type[StrEnum] = Output,
    without: Sequence[str] = (),
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a command that has the shared options too.

    Args:
        app: the application it belongs to.
        name: how it is called; None for the function's name.
        outputs: the forms of output it knows.
        without: shared options that it has not, because it has one of this name itself.

    Returns:
        A decorator for a function whose first argument is a `Shared`, and which returns an exit
        code or None; the function itself stays as it is.

    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        parameters += [one for one in _shared_parameters(outputs) if one.name not in without]

        def run(**given: Any) -> None:
            given.pop("version", None)
            names = ("config", "output", "log_format", "policy")
            shared = {key: given.pop(key) for key in names if key not in without}
            raise typer.Exit(_flushed(functools.partial(function, Shared(**shared), **given)))

        run.__doc__ = function.__doc__
        run.__name__ = function.__name__
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        app.command(name)(run)
        return function

    return register


def _flushed(work: Callable[[], int | None]) -> int:
    """Run a command to the last byte; a reader that went away (`| head`) is an interruption."""
    try:
        code = work() or DONE
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    return code

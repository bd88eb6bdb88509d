"""The entry point: runs a command and turns whatever it raises into one sentence and an exit code.

This is the one place of the commands that catches every exception: a bug is told by its class and
an event id that can be quoted, never by a traceback with what a laboratory wrote.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import typer

from adapter.cli.app import app
from adapter.cli.exit_codes import BUG, code_of
from adapter.cli.printing import complain
from adapter.errors import AdapterError, ConfigError, MappingError

NAME = "her2-adapter"


def main(arguments: Sequence[str] | None = None, *, application: typer.Typer = app) -> int:
    """Run one command.

    Args:
        arguments: what follows the program's name; None for those of this process.
        application: the commands.

    Returns:
        The exit code; see `exit_codes`.

    """
    try:
        application(args=None if arguments is None else list(arguments), prog_name=NAME)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except AdapterError as error:
        return _told(error)
    except Exception as error:  # noqa: BLE001 - the one place: a bug ends in 1, with an event id
        return _bug(error)
    return 0


def _told(error: AdapterError) -> int:
    code = code_of(error)
    if code == BUG:
        return _bug(error)
    match error:
        case ConfigError(problems=sentences) | MappingError(defects=sentences):
            for sentence in sentences:
                complain(sentence)
        case _:
            complain(str(error))
    return code


def _bug(error: Exception) -> int:
    import structlog  # not needed while all goes well

    from adapter import logs

    if not structlog.is_configured():
        logs.configure()  # structlog's own way shows the traceback with its local variables, on stdout
    event_id = uuid.uuid4().hex
    structlog.get_logger("adapter.cli").error("command_failed", event_id=event_id, exc_info=error)
    complain(
        f"A defect of the adapter ({type(error).__name__}), event {event_id}. "
        "Please report it with the log line above; it holds no patient data."
    )
    return BUG

"""How a command can end, and which error means which; the whole list is in `her2-adapter --help`."""

from __future__ import annotations

from typing import Final

from adapter.errors import (
    AdapterError,
    BrakeEngaged,
    ConfigError,
    InputError,
    ListUnusable,
    MappingError,
    ServerError,
    StoreError,
)

DONE: Final = 0
"""Also when something was set aside or parked: that is counted on stderr."""
BUG: Final = 1
WRONG_USAGE: Final = 2
NOT_REACHABLE: Final = 3
FAIL_ON: Final = 4
NEEDS_OPERATOR: Final = 5
INTERRUPTED: Final = 130

_CODES: Final[tuple[tuple[type[AdapterError], int], ...]] = (
    (ConfigError, WRONG_USAGE),
    (InputError, WRONG_USAGE),
    (MappingError, WRONG_USAGE),
    (ServerError, NOT_REACHABLE),
    (ListUnusable, NOT_REACHABLE),
    (StoreError, NOT_REACHABLE),  # as a server: nothing is lost, run again
    (BrakeEngaged, NEEDS_OPERATOR),
)


def code_of(error: AdapterError) -> int:
    """Give the exit code of an error; one that should never get this far is a bug."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)

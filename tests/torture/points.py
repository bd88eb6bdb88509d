"""Where a process can die: before, inside and after every call of a port, read off the Protocols.

A method that a port gets tomorrow is a crash point tomorrow; nothing here or in the product names one.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import FunctionType
from typing import Final

from adapter import ports

PORTS: Final[Mapping[str, type]] = {
    "server": ports.FhirServer,
    "store": ports.StateStore,
    "clock": ports.Clock,
}


class Moment(StrEnum):
    """When in a call."""

    BEFORE = "before"
    BETWEEN = "between"
    """After each item of what is given piece by piece, as the pages of a search are."""
    AFTER = "after"


@dataclass(frozen=True, order=True)
class CrashPoint:
    """One point, written "store.freeze:after"."""

    port: str
    method: str
    moment: Moment

    def __str__(self) -> str:
        return f"{self.port}.{self.method}:{self.moment}"


def methods_of(protocol: type) -> tuple[str, ...]:
    """Name the methods that a Protocol asks for, its bases' too, in their order; properties are no calls."""
    asked = (one for one in protocol.__mro__ if one.__module__ != typing.Protocol.__module__)
    return tuple(
        dict.fromkeys(
            name
            for one in asked
            for name, member in vars(one).items()
            if isinstance(member, FunctionType) and not name.startswith("_")
        )
    )


def crash_points() -> tuple[CrashPoint, ...]:
    """List every point of every port."""
    return tuple(
        CrashPoint(port, method, moment)
        for port, protocol in PORTS.items()
        for method in methods_of(protocol)
        for moment in Moment
        if moment is not Moment.BETWEEN or _gives_pieces(protocol, method)
    )


def _gives_pieces(protocol: type, method: str) -> bool:
    returned = typing.get_type_hints(getattr(protocol, method))["return"]
    return typing.get_origin(returned) is Iterator

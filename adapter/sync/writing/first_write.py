"""The Device of this software version: written before the first result, it tells on which rung a server is written to.

A server does not say whether clients may choose ids. The refusal of the first write does, and nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog

from adapter.errors import (
    AmbiguousMatch,
    ParameterDropped,
    PermanentServerError,
    UnknownOutcome,
)
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import string
from adapter.ports import JsonObject
from adapter.sync.strategy import WriteStrategy
from adapter.sync.writing.bundle import BundleMaker
from adapter.sync.writing.delivery import Delivery
from adapter.sync.writing.ladder import Ladder, refuses_rung
from adapter.sync.writing.one_by_one import OneByOne

log = structlog.get_logger(__name__)

LOOKS_AGAIN: Final = 3
"""A refused rung is tried again after the wait that follows so many attempts."""


@dataclass(frozen=True)
class FirstWrite:
    """Writes the Device; `guard` raises LeaseLost when another adapter has taken over."""

    delivery: Delivery
    ladder: Ladder
    guard: Callable[[], None]

    def device(self, maker: BundleMaker) -> tuple[BundleMaker, bool]:
        """See to it that the Device stands, going down the ladder where a rung is refused twice, and was never proved.

        Returns: a maker that knows the rung and what the server calls the Device; whether it was written.

        Raises: ServerError as the port says; the refusal of the lowest rung, or of one that was asked for or proved.
        """
        refused: set[WriteStrategy] = set()
        while True:
            strategy = self.ladder.manner.strategy
            maker = replace(maker, strategy=strategy)
            self.guard()
            try:
                made = self._write(maker)
            except ParameterDropped as error:
                if self.ladder.is_proved or not self.ladder.step_down():
                    raise
                log.info("rung_refused", rung=strategy.value, status=error.status)
            except PermanentServerError as error:
                if self.ladder.is_proved or not refuses_rung(strategy, error.status):
                    raise
                if (
                    strategy not in refused
                ):  # a gateway in between can say so once; the server says it again
                    refused.add(strategy)
                    self.delivery.attempts.wait(LOOKS_AGAIN)
                elif not self.ladder.step_down():
                    raise
                else:
                    log.info("rung_refused", rung=strategy.value, status=error.status)
            else:
                self.ladder.holds()
                return made

    def _write(self, maker: BundleMaker) -> tuple[BundleMaker, bool]:
        entry, one_by_one = maker.device(), OneByOne(self.delivery)
        if maker.strategy.chooses_ids:
            return maker, one_by_one.ensure(entry, reference_to(entry["resource"]))
        found, has_others = self.delivery.lookup.devices(_name_in(entry))
        if has_others and maker.strategy is WriteStrategy.CONDITIONAL_UPDATE:
            raise ParameterDropped(
                "the server answers a search by an identifier with Devices that do not have it: a conditional "
                "update could write over what belongs to others"
            )
        written = self._write_found(entry, found, one_by_one)
        named = self.delivery.lookup.device(_name_in(entry))
        if named is None:
            raise UnknownOutcome("a Device was written, and the server does not show it yet")
        return replace(maker, device_reference=named), written

    def _write_found(self, entry: JsonObject, found: str | None, one_by_one: OneByOne) -> bool:
        """Write a Device that the server gives its id.

        One that stands already says nothing about the rung: it is written all the same, once. Several of them say
        that conditions are heard.
        """
        with suppress(AmbiguousMatch):
            return one_by_one.ensure(entry, found if self.ladder.is_proved else None)
        return False


def _name_in(entry: JsonObject) -> str:
    return string(entry["resource"]["identifier"][0], "value")

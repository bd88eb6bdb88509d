"""What a habit is: a name, a sentence, a source, and what it overrides of a good server."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import ClassVar

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.rules import Clock
from adapter.sandbox.seams import Seams


@dataclass(frozen=True, slots=True)
class Scene:
    """What a habit may use: the server's clock, and randomness that a seed repeats."""

    clock: Clock
    random: Random


class Habit(Seams):
    """One habit, switched on with a value; subclasses override a layer, or seams, or both.

    `name` is how it is switched on, `does` what a client sees, `seen` which real server or issue
    does so, `takes` the form of its value (empty for none), `default` the value where none is given.
    """

    name: ClassVar[str]
    does: ClassVar[str]
    seen: ClassVar[str]
    takes: ClassVar[str] = ""
    default: ClassVar[str] = ""

    def __init__(self, value: str, scene: Scene) -> None:
        """Switch it on.

        Raises: ValueError with a sentence when the value is none that this habit takes.
        """
        if value and not self.takes:
            raise ValueError("takes no value")
        self.value = value
        self.scene = scene

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Answer a request, with the rest of the server at hand; see exchange.Layer."""
        return answer(request)


class WithStatus(Habit):
    """A habit whose value is the HTTP status that it refuses with."""

    takes = "STATUS"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._status = status(value)


class Often:
    """Says "now" every n-th time, or with a probability; thread-safe."""

    def __init__(self, text: str, random: Random) -> None:
        """Read `3` as every third time, `1` as every time, `0.2` as one time in five.

        Raises: ValueError when it is neither a whole number from 1 nor a decimal between 0 and 1.
        """
        self._lock = Lock()
        self._random = random
        self._calls = 0
        self._every = int(text) if text.isdecimal() else 0
        self._probability = 0.0 if self._every else _decimal(text)
        if not self._every and not 0 < self._probability < 1:
            raise ValueError("takes a whole number (every n-th time) or a decimal below 1")

    def now(self) -> bool:
        """Count one more time, and say whether this is one of them."""
        with self._lock:
            self._calls += 1
            if self._every:
                return self._calls % self._every == 0
            return self._random.random() < self._probability


class Sometimes(Habit):
    """A habit that shows every n-th time, or with a probability, in one of several kinds."""

    takes = "OFTEN"
    default = "3"
    kinds: ClassVar[tuple[str, ...]] = ()
    """What may follow after a colon; the first one is taken where nothing follows."""

    def __init__(self, value: str, scene: Scene) -> None:
        """Read `OFTEN` or `OFTEN:KIND`; raises ValueError for anything else."""
        super().__init__(value, scene)
        often, _, kind = value.partition(":")
        self._often = Often(often, scene.random)
        self.kind = kind or next(iter(self.kinds), "")
        if self.kind not in (self.kinds or ("",)):
            raise ValueError(f"takes {self.takes}")

    def concerns(self, request: FhirRequest) -> bool:  # noqa: ARG002 - a habit looks at it
        """Say whether a request counts at all."""
        return True

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Answer well, or in the habit's way when it is time for it."""
        if self.concerns(request) and self._often.now():
            return self.spoiled(request, answer)
        return answer(request)

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Answer in the habit's way."""
        return answer(request)


def seconds(text: str) -> float:
    """Read a number of seconds, zero or more; raises ValueError."""
    value = _decimal(text)
    if not 0 <= value < 10**7:
        raise ValueError("takes a number of seconds")
    return value


def whole(text: str) -> int:
    """Read a whole number from 1; raises ValueError."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("takes a whole number from 1")
    return int(text)


def chosen(text: str, *choices: str) -> str:
    """Return the text when it is one of the choices; raises ValueError."""
    if text not in choices:
        raise ValueError(f"takes one of {', '.join(choices)}")
    return text


def status(text: str) -> int:
    """Read an HTTP status that refuses, 400 to 599; raises ValueError."""
    if not text.isdecimal() or not 400 <= int(text) <= 599:
        raise ValueError("takes an HTTP status from 400 to 599")
    return int(text)


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0

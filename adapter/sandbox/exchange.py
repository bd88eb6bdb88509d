"""What comes in and what goes out: one HTTP exchange, free of any web framework.

A layer wraps the whole exchange: it sees the request, may change it, answer in the server's place,
or change the answer. Bad habits of real servers are put on this way, and the good server below
never learns of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class FhirRequest:
    """A request below the FHIR base.

    `path` is decoded and has no leading slash; `query` is the raw query string; header names are
    lower case; `base_url` is the base that the client used, without a trailing slash.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class FhirResponse:
    """An answer: status, FHIR JSON text (empty for none) and further headers."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawResponse(FhirResponse):
    """An answer below HTTP: these bytes as they are, one after the other, then the end of the line.

    `status`, `body` and `headers` are what the server meant to say. `raw` empty closes the
    connection without a word; between two pieces `pause_seconds` go by.
    """

    raw: Sequence[bytes] = ()
    pause_seconds: float = 0.0


Answer = Callable[[FhirRequest], FhirResponse]
Layer = Callable[[FhirRequest, Answer], FhirResponse]


def with_layers(answer: Answer, layers: Sequence[Layer]) -> Answer:
    """Return `answer` wrapped in the layers; the first layer is the outermost."""
    return reduce(_wrapped, reversed(layers), answer)


def _wrapped(inner: Answer, layer: Layer) -> Answer:
    return lambda request: layer(request, inner)

"""S24: whatever an id holds, a request has exactly the segments that were meant, or is not sent."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import requests

from adapter.errors import PermanentServerError
from adapter.ports import SingleWrite
from tests.unit.transport.conftest import BASE, MakeServer

PIECES = (
    *"abcXYZ019-.",
    *("..", ".", "/", "//", "\\", "%2e", "%2F", "%00", "%", "?", "#", "&", "=", ";", ":", "@"),
    *(
        " ",
        "\t",
        "\r\n",
        "\n",
        "\x00",
        "\x7f",
        "\u2024",
        "\uff0e",
        "\uff0f",
        "\u202e",
        "ä",
        "\ud800",
    ),
    *("$", "|", ",", "+", "*", "(", ")", "[", "]", "{", "}", "<", ">", '"', "'", "`", "^", "~"),
    *("_history", "_search", "http://", "evil.example", "Patient/", "../../", "..;/", "a" * 64),
)
FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
NUMBER = 100_000


def ids(seed: int) -> list[str]:
    made = random.Random(seed)
    found = []
    for _ in range(NUMBER):
        plain = made.random() < 0.3
        pieces = "abcXYZ019-." if plain else PIECES
        found.append("".join(made.choices(pieces, k=made.randint(0, 66 if plain else 8))))
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would go over the wire, after `requests` has prepared it; every answer is a 404."""
    urls: list[str] = []

    def answer(_: object, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        urls.append(request.url or "")
        response = requests.Response()
        response.status_code = 404
        response.raw = _Empty()
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answer)
    return urls


class _Empty:
    def read1(self, *_: object, **more: object) -> bytes:
        return b""

    def tell(self) -> int:
        return 0

    def close(self) -> None: ...

    def release_conn(self) -> None: ...


def test_a_hundred_thousand_ids_give_the_segments_that_were_meant_or_nothing(
    make_server: MakeServer, sent: list[str], record_property: Any
) -> None:
    server = make_server(BASE, attempts=1)
    refused = 0
    for number, one in enumerate(ids(seed=24)):
        reference = f"Observation/{one}" + ("/_history/2" if number % 3 == 1 else "")
        before = len(sent)
        try:
            if number % 3 == 2:
                server.write(SingleWrite("DELETE", reference))
            else:
                server.read(reference)
        except PermanentServerError:
            assert len(sent) == before, "a refused id was sent"
            refused += 1
            continue
        # By R4 alone: an id is 1 to 64 of these characters; "." and ".." would climb.
        assert FHIR_ID.fullmatch(one), ascii(one)
        assert one.strip("."), ascii(one)
        assert sent[-1] == f"{BASE}/{reference}"
        assert len(sent) == before + 1
    assert len(sent) + refused == NUMBER
    assert len(sent) > NUMBER / 5
    assert refused > NUMBER / 5
    record_property("promise", "paths")
    record_property(
        "figure",
        f"{NUMBER:,} fuzzed ids: {len(sent):,} sent with their segments, {refused:,} refused unsent",
    )

"""Habits below HTTP, seen by a plain socket and by a plain HTTP client."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from urllib.parse import urlsplit

import pytest
import requests

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, observation, patient


def received(fhir: Client, path: str, *headers: str) -> bytes:
    """Ask over a bare connection and return every byte until the server closes it."""
    place = urlsplit(f"{fhir.base_url}/{path}")
    lines = [f"GET {place.path} HTTP/1.1", f"Host: {place.netloc}", *headers, "", ""]
    with socket.create_connection((place.hostname, place.port), timeout=20) as line:
        line.sendall("\r\n".join(lines).encode())
        parts = []
        while part := line.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_lost_responses_were_carried_out_and_nobody_hears_of_it(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    sandbox.habits.choose({"lost-responses": 2})
    assert fhir.put(patient(id=new_id)).status_code == 201
    with pytest.raises(requests.ConnectionError):
        fhir.put(patient(id=new_id, active=True))

    assert fhir.get(f"Patient/{new_id}").json()["active"] is True


def test_truncated_gzip_has_the_right_length_and_no_end(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(observation(id=new_id, valueString="2+" * 500))
    sandbox.habits.choose({"truncated-gzip": 1})
    answer = received(fhir, f"Observation/{new_id}", "Accept-Encoding: gzip")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Content-Encoding: gzip" in head
    unpacking = zlib.decompressobj(wbits=31)
    assert unpacking.decompress(body).startswith(b'{"resourceType":"Observation"')
    assert not unpacking.eof
    assert fhir.get(f"Observation/{new_id}", accept_encoding="identity").json()["id"] == new_id


@pytest.mark.parametrize("kind", ["length", "chunked", "close"])
def test_truncated_bodies_end_in_their_middle(
    sandbox: Sandbox, fhir: Client, new_id: str, kind: str
) -> None:
    whole = fhir.put(observation(id=new_id, valueString="2+" * 50)).text.encode()
    sandbox.habits.choose({"truncated-bodies": f"1:{kind}"})
    head, _, body = received(fhir, f"Observation/{new_id}").partition(b"\r\n\r\n")

    assert (f"Content-Length: {len(whole)}".encode() in head) == (kind == "length")
    assert (b"Transfer-Encoding: chunked" in head) == (kind == "chunked")
    if kind == "chunked":
        size, _, chunk = body.partition(b"\r\n")
        assert chunk.endswith(b"\r\n")
        body = chunk[:-2]
        assert int(size, 16) == len(body)
    assert body == whole[: len(whole) // 2]


def test_slow_drip_comes_whole_and_in_pieces(sandbox: Sandbox, fhir: Client, new_id: str) -> None:
    fhir.put(observation(id=new_id, valueString="2+"))
    sandbox.habits.choose({"slow-drip": 0.4})
    with fhir.session.get(f"{fhir.base_url}/Observation/{new_id}", stream=True) as answer:
        begun = time.monotonic()
        content = b"".join(answer.iter_content(None))

    assert time.monotonic() - begun > 0.2
    assert json.loads(content)["valueString"] == "2+"


@pytest.mark.parametrize(
    ("kind", "label"),
    [("plain", "text/plain"), ("html", "text/html"), ("xml", "application/fhir+xml")],
)
def test_wrong_content_types_label_the_same_body_otherwise(
    sandbox: Sandbox, fhir: Client, new_id: str, kind: str, label: str
) -> None:
    fhir.put(patient(id=new_id))
    sandbox.habits.choose({"wrong-content-types": f"2:{kind}"})

    good, labelled = fhir.get(f"Patient/{new_id}"), fhir.get(f"Patient/{new_id}")
    assert good.headers["Content-Type"].startswith("application/fhir+json")
    assert labelled.headers["Content-Type"].startswith(label)
    assert labelled.json() == good.json()


def test_two_habits_below_http_do_not_undo_each_other(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    sandbox.habits.choose({"lost-responses": 1, "truncated-gzip": 1, "truncated-bodies": 1})

    with pytest.raises(requests.ConnectionError):
        fhir.put(patient(id=new_id))
    sandbox.habits.choose()
    assert fhir.get(f"Patient/{new_id}").status_code == 200


def test_gzip_bombs_unpack_to_much_more_and_are_whole(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(patient(id=new_id))
    sandbox.habits.choose({"gzip-bombs": 3})
    answer = received(fhir, f"Patient/{new_id}", "Accept-Encoding: gzip")
    head, _, body = answer.partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head
    assert len(body) < 20_000
    unpacked = gzip.decompress(body)
    assert len(unpacked) > 3 * 1024 * 1024
    assert json.loads(unpacked)["id"] == new_id
    plain = fhir.get(f"Patient/{new_id}", accept_encoding="identity")
    assert len(plain.content) < 500

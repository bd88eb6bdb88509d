"""Habits below HTTP, seen by a plain socket and by a plain HTTP client."""

from __future__ import annotations

import socket
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

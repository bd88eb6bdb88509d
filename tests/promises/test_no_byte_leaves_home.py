"""P7: whole passes over a server whose every field names a canary, and nobody but the server is asked.

Each of the fields of FIELDS that a resource may hold an address in is planted on a case of its own. A
.netrc and every proxy variable name the canary too.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from adapter.bootstrap import open_adapter
from adapter.sandbox.server import Sandbox
from adapter.settings import load_settings
from adapter.sync.cycle import Cycle
from tests.unit.transport.loopback import Loopback

FIXTURE = Path(__file__).parents[2] / "fixtures" / "ihc-2-plus-fish-negative" / "input.json"

# resource type, path to the place, what stands there ("{}" is the canary's address)
FIELDS: list[tuple[str, str, Any]] = [
    ("Observation", "subject.display", "{}"),
    ("Observation", "encounter", {"reference": "{}/Encounter/1"}),
    ("Observation", "performer", [{"reference": "{}/Practitioner/1"}]),
    ("Observation", "device", {"reference": "{}/Device/1"}),
    ("Observation", "focus", [{"reference": "{}/Condition/1"}]),
    ("Observation", "basedOn", [{"reference": "{}/ServiceRequest/1"}]),
    ("Observation", "partOf", [{"reference": "{}/Procedure/1"}]),
    ("Observation", "hasMember", [{"reference": "{}/Observation/1"}]),
    ("Observation", "derivedFrom", [{"reference": "{}/Media/1"}]),
    ("Observation", "extension", [{"url": "{}/e", "valueUrl": "{}/v"}]),
    ("Observation", "implicitRules", "{}/rules"),
    ("Observation", "meta.source", "{}/source"),
    ("Observation", "meta.profile", ["{}/StructureDefinition/1"]),
    ("Observation", "method", {"coding": [{"system": "{}/method", "code": "x"}]}),
    (
        "Observation",
        "text",
        {"status": "generated", "div": "<div><img src='{}/a.png'/><a href='{}'/></div>"},
    ),
    ("Observation", "note", [{"text": "see {}/note"}]),
    ("Specimen", "parent", [{"reference": "{}/Specimen/1"}]),
    ("Specimen", "request", [{"reference": "{}/ServiceRequest/2"}]),
    ("Patient", "photo", [{"contentType": "image/png", "url": "{}/photo.png"}]),
    ("Patient", "link", [{"other": {"reference": "{}/Patient/2"}, "type": "seealso"}]),
    ("Patient", "managingOrganization", {"reference": "{}/Organization/1"}),
    ("Patient", "generalPractitioner", [{"reference": "{}/Practitioner/2"}]),
    ("DiagnosticReport", "presentedForm", [{"contentType": "text/plain", "url": "{}/report"}]),
    ("DiagnosticReport", "imagingStudy", [{"reference": "{}/ImagingStudy/1"}]),
    ("DiagnosticReport", "media", [{"link": {"reference": "{}/Media/2"}}]),
    ("DiagnosticReport", "resultsInterpreter", [{"reference": "{}/Practitioner/3"}]),
]


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Loopback]:
    listener = Loopback()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, listener.origin)
        monkeypatch.setenv(name.upper(), listener.origin)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login netrc-canary password netrc-canary\n")
    netrc.chmod(0o600)
    yield listener
    listener.stop()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[requests.PreparedRequest]:
    """Every request that the product sends, as it leaves."""
    seen: list[requests.PreparedRequest] = []
    send = requests.adapters.HTTPAdapter.send

    def noted(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **more: Any
    ) -> requests.Response:
        seen.append(request)
        return send(self, request, **more)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", noted)
    return seen


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    hosts: list[str] = []
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        hosts.append(f"{host}:{port}")
        return look_up(host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return hosts


def _planted(number: int, kind: str, path: str, value: Any, canary: str) -> bytes:
    """One case under ids of its own, with an address of the canary in one field."""
    text = FIXTURE.read_text("utf-8").replace("ihc-2-plus-fish-negative", f"canary-{number}")
    bundle = json.loads(text)
    resources = [entry["resource"] for entry in bundle["entry"]]
    if all(one["resourceType"] != kind for one in resources):
        base = resources[0]["id"].split("-")[0]
        subject = next(one["subject"] for one in resources if one["resourceType"] == "Observation")
        results = [
            {"reference": f"Observation/{one['id']}"}
            for one in resources
            if one["resourceType"] == "Observation"
        ]
        added = {
            "resourceType": kind,
            "id": f"{base}-{number}-report",
            "status": "final",
            "code": {"text": "Pathology report"},
            "subject": subject,
            "result": results,
        }
        url = f"{kind}/{added['id']}"
        bundle["entry"].append({"resource": added, "request": {"method": "PUT", "url": url}})
        resources.append(added)
    filled = json.loads(json.dumps(value).replace("{}", canary))
    for resource in resources:
        if resource["resourceType"] == kind:
            place = resource
            *parents, last = path.split(".")
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = deepcopy(filled)
    return json.dumps(bundle).encode()


def _load(sandbox: Sandbox, body: bytes) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Content-Type": "application/fhir+json"}
    request = urllib.request.Request(sandbox.base_url, data=body, headers=headers, method="POST")
    with opener.open(request) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("post_searches", [False, True])
def test_whole_passes_ask_nobody_but_the_server(
    post_searches: bool,
    canary: Loopback,
    sent: list[requests.PreparedRequest],
    looked_up: list[str],
    tmp_path: Path,
    record_property: Any,
) -> None:
    with Sandbox() as sandbox:
        for number, (kind, path, value) in enumerate(FIELDS):
            _load(sandbox, _planted(number, kind, path, value, canary.origin))
        said = {
            "source.url": sandbox.base_url,
            "source.post_searches": post_searches,
            "store.url": f"sqlite:///{tmp_path / 'state.sqlite'}",
            "narratives": "suggest",
        }
        looked_up.clear()
        with open_adapter(load_settings(None, said), Event()) as adapter:
            cycle = Cycle(adapter.parts, adapter.options)
            reports = [cycle.run_pass(), cycle.run_pass()]
        ours = sandbox.base_url.split("/")[2]
    assert [report.outcome for report in reports] == ["done", "done"]
    assert reports[0].fetched >= 2 * len(FIELDS)
    assert reports[0].writes > len(FIELDS)
    assert len(sent) > 20
    assert set(looked_up) == {ours}
    assert canary.connections == 0
    assert {urlsplit(str(request.url)).netloc for request in sent} == {ours}
    assert not [one for one in sent if "authorization" in {name.lower() for name in one.headers}]
    by_patient = [one for one in sent if "patient=" in str(one.url)]
    assert bool(by_patient) is not post_searches
    record_property("promise", "foreign hosts")
    record_property(
        "figure",
        f"passes over addresses in {len(FIELDS)} fields, with .netrc and proxy variables planted: "
        "0 foreign hosts",
    )

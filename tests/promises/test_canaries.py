"""Nothing of a patient, and no secret, reaches logs, errors, metrics, the state or a file (S11, S12).

Excepted, as the documentation says: logical ids and codes; stdout of `explain` and `derive`, which
show a patient's results to whoever asked for them; and bundles in the outbox until they are settled.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.main import main
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from tests.promises.canaries import Canaries, patients

PATIENTS = 500
SECRET = "Sqz-bearer-7a1f-canary"
ROOT = Path(__file__).parents[2]


class Gossip:
    """A server that repeats what it was told, wherever a server can say something."""

    def __init__(self, canaries: Canaries) -> None:
        self._one = canaries.one
        self._asked = 0
        self.kinds: frozenset[str] = frozenset()

    def __call__(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        self._asked += 1
        kinds = sorted(self.kinds)
        if not kinds or self._asked % 3:
            return answer(request)
        return self._said(kinds[self._asked // 3 % len(kinds)], request)

    def _said(self, kind: str, request: FhirRequest) -> FhirResponse:
        said = f"Patient '{self._one()}' born {self._one()}: {SECRET} {request.body[:200]!r}"
        issue = {"severity": "error", "code": "invalid", "diagnostics": said}
        outcome = {
            "resourceType": "OperationOutcome",
            "issue": [{**issue, "details": {"text": said}}],
        }
        match kind:
            case "html":
                return FhirResponse(200, f"<html>{said}</html>", {"Content-Type": "text/html"})
            case "broken":
                return FhirResponse(200, f'{{"resourceType":"Bundle","x":"{self._one()}')
            case "twice":
                name = self._one()
                return FhirResponse(200, f'{{"{name}":1,"{name}":2,"resourceType":"Bundle"}}')
            case "link":
                url = f"https://{self._one()}.example.org/?name={self._one()}"
                bundle = {"resourceType": "Bundle", "type": "searchset", "link": []}
                bundle["link"] = [{"relation": "next", "url": url}]
                return FhirResponse(200, json.dumps(bundle))
            case "redirect":
                return FhirResponse(302, "", {"Location": f"https://example.org/{self._one()}"})
            case _:
                return FhirResponse(int(kind), json.dumps(outcome))


class House:
    """One installation on one server, and everything it said."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.canaries = Canaries()
        self.gossip = Gossip(self.canaries)
        self.folder = folder
        self.told: dict[str, str] = {}
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def settings(self, url: str) -> dict[str, str]:
        secret = self.folder.parent / "token"
        secret.write_text(SECRET)
        return {
            "HER2_FHIR_URL": url,
            "HER2_STATE_URL": f"sqlite:///{self.folder / 'state.sqlite'}",
            "HER2_LOG__LEVEL": "debug",
            "HER2_LOG__FORMAT": "json",
            "HER2_SOURCE__AUTH__KIND": "bearer",
            "HER2_SOURCE__AUTH__TOKEN_FILE": str(secret),
            "HER2_POLL__INTERVAL_SECONDS": "1",
        }

    def run(self, *arguments: object, text: str = "", keeps_stdout: bool = False) -> int:
        """Run a command in this process, and keep what it said."""
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        name = f"{len(self.told)} {' '.join(str(one) for one in arguments)[:40]}"
        self.told[name] = captured.err + ("" if keeps_stdout else captured.out)
        return code

    def found(self) -> dict[str, set[str]]:
        """Where canaries or the secret stand, of all that was said and all files there are."""
        said = {**self.told, **self._files()}
        marked = {name: self.canaries.in_(text) for name, text in said.items()}
        for name, text in said.items():
            if SECRET in (text if isinstance(text, str) else text.decode("utf-8", "replace")):
                marked[name].add("secret")
        return {name: found for name, found in marked.items() if found}

    def _files(self) -> dict[str, bytes]:
        return {str(one): one.read_bytes() for one in self.folder.rglob("*") if one.is_file()}


def send(url: str, resource: dict[str, Any]) -> None:
    request = urllib.request.Request(
        url, json.dumps(resource).encode(), {"Content-Type": "application/fhir+json"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def amend(url: str, count: int) -> None:
    """Let the laboratory correct some results, so that there is something to write."""
    for number in range(count):
        with urllib.request.urlopen(f"{url}/Observation?patient=c{number}&code=85319-2") as answer:
            for entry in json.load(answer).get("entry", []):
                resource = entry["resource"]
                resource["status"] = "corrected"
                resource["valueCodeableConcept"] = {"text": "3+"}
                place = f"{url}/Observation/{resource['id']}"
                headers = {"Content-Type": "application/fhir+json"}
                body = json.dumps(resource).encode()
                request = urllib.request.Request(place, body, headers, method="PUT")
                urllib.request.urlopen(request).close()


def running(house: House, environment: dict[str, str]) -> str:
    """Let `run --http` poll for a while as a process of its own, and read its metrics; gives its command line."""
    command = [sys.executable, "-m", "adapter", "run", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(
        command,
        cwd=house.folder,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    passed = threading.Event()

    def listen(stream: Any) -> None:
        for line in stream:
            lines.append(line)
            if "pass_ended" in line or "pass_failed" in line:
                passed.set()

    listener = threading.Thread(target=listen, args=(process.stderr,))
    listener.start()
    assert passed.wait(120), lines
    (started,) = [json.loads(line) for line in lines if '"http_started"' in line]
    house.told["metrics"] = scraped(f"http://127.0.0.1:{started['port']}/metrics")
    shown = Path(f"/proc/{process.pid}/cmdline").read_text()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    listener.join()
    assert process.stdout is not None
    house.told["run"] = "".join(lines) + process.stdout.read()
    process.stdout.close()
    process.stderr.close()
    return shown


def scraped(url: str) -> str:
    """Read the metrics once they tell of a pass: the log does so a moment earlier."""
    text = ""
    for _ in range(100):
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
        if "her2_passes_total{" in text:
            break
        time.sleep(0.1)
    return text


def test_no_canary_of_a_patient_and_no_secret_leaves(
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record_property("promise", "canaries")
    folder = tmp_path / "house"
    folder.mkdir()
    monkeypatch.chdir(folder)
    house = House(folder, monkeypatch, capsys)
    with Sandbox(layers=[house.gossip]) as sandbox:
        url = sandbox.base_url
        corpus = list(patients(PATIENTS, house.canaries))
        for bundle in corpus:
            send(url, bundle)
        environment = house.settings(url)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        assert house.run("config") == 0
        house.run("config", "--check")
        assert house.run("sync", "--dry-run", "--backfill") == 0
        assert house.run("sync", "--backfill") == 0
        # A write that nobody answers: the bundle stays in the outbox, and holds what is written.
        amend(url, 6)
        house.gossip.kinds = frozenset({"500"})
        house.run("sync")
        for kinds in ({"html", "broken", "twice"}, {"link", "redirect"}, {"422", "412", "409"}):
            house.gossip.kinds = frozenset(kinds)
            house.run("sync")
        house.gossip.kinds = frozenset({"400", "403", "404"})
        house.run("sync")
        house.gossip.kinds = frozenset()
        assert house.run("sync") == 0
        command_line = running(house, environment)
        house.run("unmapped")
        house.run("unmapped", "-o", "table")
        house.run("parked", "list")
        house.run("status")
        house.run("status", "--check")
        for form in ("table", "ndjson"):
            assert house.run("go-live-report", "-o", form) == 0
        files = [word for end in ("html", "md", "json") for word in ("--to", f"report.{end}")]
        assert house.run("go-live-report", *files) == 0
        name = _derived(url)
        assert house.run("explain", name, keeps_stdout=True) == 0
        assert house.run("verify", name) in (0, 5)
        house.run("withdraw", "--all", "--preview")
        assert house.run("withdraw", "--all") == 0
        lines = "\n".join(json.dumps(one) for one in corpus[:20])
        house.run("classify", "-", text=lines)
        house.run("classify", "-", text=lines.replace('"Observation"', f'"{house.canaries.one()}"'))
        house.run("classify", "-", text=f'{{"{house.canaries.one()}": nonsense')
        house.run("derive", "-", text=lines, keeps_stdout=True)

    found = house.found()
    record_property(
        "figure",
        f"{house.canaries.count:,} canaries of {PATIENTS} patients and a secret, {len(house.told)} "
        f"commands with faults at level debug, {len(list(folder.rglob('*')))} files searched: "
        f"{sum(map(len, found.values()))} found",
    )
    assert "pass_ended" in house.told["run"], "the log was written"
    assert "her2_passes_total{" in house.told["metrics"]
    assert len(house.canaries.in_(json.dumps(corpus))) > 20 * PATIENTS, "the corpus is full of them"
    assert SECRET not in command_line
    assert found == {}


def _derived(url: str) -> str:
    tag = "https://w3id.org/her2-adapter/CodeSystem/her2-adapter%7Cderived"
    with urllib.request.urlopen(f"{url}/Observation?_tag={tag}&_count=1") as answer:
        return f"Observation/{json.load(answer)['entry'][0]['resource']['id']}"

"""`$her2-derive` of a whole service, as an interface engine calls it: the answer of the command `derive`, over HTTP."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle

from adapter.fhir.strict_json import read_json, write_json
from tests.cli.conftest import FIXTURES, ROOT, Run, run
from tests.servers.required import executable, skip_or_fail
from tests.unit.web.running import TOKENS, Running

__all__ = ["run"]

PATH = "/fhir/$her2-derive"
INPUTS = sorted([*FIXTURES.glob("*/input.json"), *FIXTURES.glob("*/later.json")])
LOW = (FIXTURES / "ihc-2-plus-fish-negative" / "input.json").read_bytes()
_INSTANT = re.compile(r'"(?:recorded|issued|occurredDateTime|lastUpdated)":"\d{4}-\d\d-\d\dT[^"]*"')


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def derive(
    standing: Running, body: Any, query: str = "", token: str | None = "derive"
) -> requests.Response:
    headers = {"Content-Type": "application/fhir+json"}
    return standing.post(PATH + query, token, data=body, headers=headers)


def timeless(text: str) -> str:
    return _INSTANT.sub('"at":"then"', text.strip())


def decided(text: str) -> str:
    """The Bundle without the OperationOutcome, which the command says on stderr instead."""
    bundle = read_json(text.encode())
    kept = [
        one
        for one in bundle.pop("entry", [])
        if one["resource"]["resourceType"] != "OperationOutcome"
    ]
    return write_json({**bundle, "entry": kept} if kept else bundle).decode()


@pytest.mark.parametrize("complete", [False, True], ids=["collection", "transaction"])
def test_every_example_is_answered_as_by_the_command(
    standing: Running, run: Run, complete: bool
) -> None:
    for file in INPUTS:
        said = run("derive", *(["--complete"] if complete else []), file)
        answer = derive(standing, file.read_bytes(), f"?complete={str(complete).lower()}")

        assert (said.code, answer.status_code) == (0, 200), named(file)
        assert timeless(decided(answer.text)) == timeless(decided(said.out)), named(file)
        Bundle.model_validate(answer.json())


def test_nothing_is_stored(standing: Running) -> None:
    before = standing.sandbox.writes

    assert derive(standing, LOW, "?complete=true").json()["type"] == "transaction"
    assert standing.sandbox.writes == before
    assert standing.categories() == {}


def test_calls_at_once_give_the_same_bytes(standing: Running) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: derive(standing, LOW), range(24)))

    assert {one.status_code for one in answers} == {200}
    assert len({timeless(one.text) for one in answers}) == 1


def test_a_flood_loses_no_answer_to_who_comes_again(standing: Running) -> None:
    def until_answered(_: int) -> requests.Response:
        while (answer := derive(standing, LOW)).status_code == 429:
            assert answer.json()["issue"][0]["code"] == "throttled"
        return answer

    with ThreadPoolExecutor(40) as clients:
        answers = list(clients.map(until_answered, range(80)))

    assert {timeless(one.text) for one in answers} == {timeless(derive(standing, LOW).text)}


@pytest.mark.parametrize("token", [None, "", "no-such-token", "watch", "sync"])
def test_who_is_not_let_in_is_told_so_in_fhir(standing: Running, token: str | None) -> None:
    answer = derive(standing, LOW, token=token)

    assert answer.status_code in (401, 403)
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "ihc-2-plus" not in answer.text


def test_a_stranger_is_turned_away_before_a_body_is_sent(standing: Running) -> None:
    parts = urlsplit(standing.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()

    assert connection.getresponse().status == 401
    connection.close()


def test_it_is_well_while_it_works(standing: Running) -> None:
    entries = [
        {"resource": json.loads(json.dumps(entry["resource"]).replace("ihc-2-plus", f"p{number}"))}
        for number in range(300)
        for entry in json.loads(LOW)["entry"]
    ]
    large = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    with ThreadPoolExecutor(1) as clients:
        working = clients.submit(derive, standing, large)
        well = 0
        while not working.done():
            assert standing.get("/healthz").json() == {"status": "alive"}
            well += 1

    assert working.result().headers["Her2-Counts"].startswith("results=600, used=600")
    assert well > 2  # one before, one after: more are only answered meanwhile


def test_what_is_not_there_is_told_in_fhir(standing: Running) -> None:
    unknown = standing.get("/fhir/Patient/1", "derive")
    another_way = standing.get(PATH, "derive")

    assert (unknown.status_code, another_way.status_code) == (404, 405)
    for answer in (unknown, another_way):
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_the_statement_names_this_service(standing: Running) -> None:
    statement = standing.get("/fhir/metadata", "derive").json()
    [operation] = statement["rest"][0]["operation"]
    definition = standing.get("/fhir/OperationDefinition/her2-derive", "derive").json()

    assert operation["definition"] == definition["url"]
    assert definition["url"].startswith("https://w3id.org/her2-adapter/")


def test_the_rules_of_this_moment_decide(served: Running) -> None:
    """The loop takes other mappings between two passes; the operation goes with it."""
    loop = served.service.loop
    before = derive(served, LOW).json()["entry"][0]["resource"]["id"]
    loop.parts = replace(loop.parts, context=replace(loop.parts.context, namespace="other"))

    assert derive(served, LOW).json()["entry"][0]["resource"]["id"] != before


def test_what_an_engine_writes_is_what_a_pass_would_have_written(served: Running) -> None:
    """Read from a server, answered as complete, sent to it: the adapter itself then has nothing to write."""
    served.put_result("anna", "1+")
    base = served.sandbox.base_url
    found = [
        {"fullUrl": entry["fullUrl"], "resource": entry["resource"]}
        for kind in ("Patient", "Specimen", "Observation")
        for entry in requests.get(f"{base}/{kind}", timeout=10).json()["entry"]
    ]
    held = {"resourceType": "Bundle", "type": "collection", "entry": found}
    transaction = derive(served, json.dumps(held), "?complete=true")
    headers = {"Content-Type": "application/fhir+json"}
    sent = requests.post(base, data=transaction.content, headers=headers, timeout=10)
    passed = served.post("/sync", "sync", json={"patient": "anna"}).json()

    assert (transaction.headers["Her2-Counts"], sent.status_code) == (
        "results=1, used=1, create=1",
        200,
    )
    assert served.categories() == {"anna": "low"}
    assert (passed["changed"], [one["action"] for one in passed["samples"]]) == (0, ["skip"])


@pytest.mark.real
def test_the_page_shows_a_call_that_works(standing: Running) -> None:
    """The curl of docs/derive-operation.md, as it stands there but for address and token."""
    with skip_or_fail():
        curl = executable("curl", "apt-get install curl")
    page = (ROOT / "docs" / "derive-operation.md").read_text("utf-8")
    [shown] = re.findall(r"^curl (.*?)^```", page, re.MULTILINE | re.DOTALL)
    asked = shown.replace("http://127.0.0.1:8765", standing.url).replace("…", TOKENS["derive"])
    words = shlex.split(asked.replace("\\\n", " "))
    ran = subprocess.run([curl, *words], cwd=ROOT, capture_output=True, text=True, check=True)

    assert json.loads(ran.stdout)["type"] == "collection"

"""`verify` on the command line: what it prints, and how it ends."""

from __future__ import annotations

import pytest

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import Run, fetch, load, put


def derived_of(sandbox: Sandbox) -> list[str]:
    found = fetch(
        sandbox, "Observation?_tag=https://w3id.org/her2-adapter/CodeSystem/her2-adapter|derived"
    )
    return sorted(f"Observation/{entry['resource']['id']}" for entry in found["entry"])


def test_everything_that_was_written_agrees_with_its_sources(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    load(sandbox, file="later.json")
    run("sync")
    writes = sandbox.writes

    ended = run("verify", "--all")

    standing = {
        name for name in derived_of(sandbox) if fetch(sandbox, name)["status"] != "entered-in-error"
    }
    assert {line["reference"] for line in ended.lines} == standing
    assert [line for line in ended.lines if line["agreement"] != "agrees"] == []
    assert ended.code == 0
    assert f"{len(standing)} agrees" in ended.err
    assert "as they are now" in ended.err
    assert sandbox.writes == writes


def test_one_that_was_edited_differs_and_ends_in_5(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    name = derived_of(sandbox)[0]
    put(sandbox, {**fetch(sandbox, name), "note": [{"text": "edited by Jane Canary"}]})

    ended = run("verify", name)

    assert ended.code == 5
    assert (ended.lines[0]["agreement"], ended.lines[0]["elements"]) == ("differs", ["note"])
    assert "Canary" not in ended.out + ended.err


def test_what_cannot_be_verified_ends_in_5_with_the_reason(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)

    ended = run("verify", "Observation/nowhere", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 5
    assert ended.lines[0]["agreement"] == "cannot-be-verified"
    assert ended.lines[0]["why"] == "There is no such Observation on the server."
    assert "1 cannot be verified" in ended.err


@pytest.mark.parametrize(
    "arguments", [(), ("Patient/1",), ("Observation/../x",), ("Observation/1", "--all")]
)
def test_wrong_usage_ends_in_2(run: Run, sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    ended = run("verify", *arguments, HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 2


def test_where_nothing_of_ours_stands_this_is_said(run: Run, sandbox: Sandbox) -> None:
    ended = run("verify", "--all", HER2_FHIR_URL=sandbox.base_url)

    assert (ended.code, ended.out) == (0, "")
    assert "There is no derived result of ours" in ended.err

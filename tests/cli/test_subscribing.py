"""`subscribe`: what is asked for, what stands on the server, and that the secret shows nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import Run, fetch, load, put
from tests.servers.authorisation import AuthorisationServer, serving
from tests.unit.transport.smart.conftest import jwk, write_keys

CANARY = "SECRET-CANARY-0123456789-0123456789"
ENDPOINT = "https://her2.example.org/webhook"


@pytest.fixture
def given(sandbox: Sandbox) -> dict[str, str]:
    load(sandbox, "ihc-1-plus")
    return {
        "HER2_FHIR_URL": sandbox.base_url,
        "HER2_HTTP__WEBHOOK__ENDPOINT": ENDPOINT,
        "HER2_HTTP__WEBHOOK__SECRET": CANARY,
        "HER2_LOG__LEVEL": "debug",
    }


def subscriptions(sandbox: Sandbox) -> list[dict[str, object]]:
    return [one["resource"] for one in fetch(sandbox, "Subscription").get("entry", [])]


def test_it_is_made_shown_and_taken_away_without_showing_its_secret(
    run: Run, given: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    created = run("subscribe", "create", "--wait", 0, **given)
    shown = [run("subscribe", "show", "-o", form, **given) for form in ("ndjson", "table", "csv")]
    (stored,) = subscriptions(sandbox)
    recorded = run("audit", "show", **given)
    removed = run("subscribe", "remove", **given)

    assert created.code == 5  # the sandbox stores it, and activates nothing
    assert "not active after 0 s" in created.err
    (row,) = shown[0].lines
    assert row["reference"] == f"Subscription/{stored['id']}"
    assert (row["status"], row["endpoint"], row["signing"]) == ("requested", ENDPOINT, "header")
    assert "85319-2" in row["criteria"]
    assert stored["channel"]["header"] == [f"X-Webhook-Secret: {CANARY}"]  # type: ignore[index]
    assert [one["done"] for one in removed.lines] == ["removed"]
    assert subscriptions(sandbox) == []
    assert [one["action"] for one in recorded.lines][-1:] == ["subscribed"]
    every = [created, *shown, recorded, removed, run("config", **given), run("audit", "show")]
    told = "".join(one.out + one.err for one in every)
    assert CANARY not in told
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert CANARY.encode() not in kept


def test_where_searches_can_be_tried_one_subscription_is_enough(
    run: Run, given: dict[str, str], sandbox: Sandbox
) -> None:
    """An empty server is asked by code and by combo-code; with a result on it the second is known to do."""
    with Sandbox() as empty:
        given["HER2_FHIR_URL"] = empty.base_url
        first = run("subscribe", "create", "--wait", 0, **given)
        load(empty, "ihc-1-plus")
        again = run("subscribe", "create", "--wait", 0, **given)

        assert [one["done"] for one in first.lines] == ["created", "created"]
        assert sorted(one["done"] for one in again.lines) == ["removed", "unchanged"]
        (left,) = subscriptions(empty)
        assert str(left["criteria"]).startswith("Observation?combo-code=")


def test_what_the_server_activates_ends_well(
    run: Run, given: dict[str, str], sandbox: Sandbox
) -> None:
    run("subscribe", "create", "--wait", 0, **given)
    (stored,) = subscriptions(sandbox)
    put(sandbox, {**stored, "status": "active"})

    again = run("subscribe", "create", **given)
    assert (again.code, [one["done"] for one in again.lines]) == (0, ["unchanged"])
    assert "Active: 1 subscription" in again.err


def test_what_the_server_says_of_its_trouble_is_cut_as_every_text_of_a_server(
    run: Run, given: dict[str, str], sandbox: Sandbox
) -> None:
    run("subscribe", "create", "--wait", 0, **given)
    (stored,) = subscriptions(sandbox)
    trouble = f"cannot reach it for Jane Doe 1970-01-01 with {CANARY}"
    put(sandbox, {**stored, "status": "error", "error": trouble})

    shown = run("subscribe", "show", **given)
    (row,) = shown.lines
    assert row["status"] == "error"
    assert row["error"].startswith("cannot … it for")
    for told in ("Jane", "1970", CANARY):
        assert told not in shown.out + shown.err


def test_for_medplum_the_key_stands_in_its_extension(
    run: Run, given: dict[str, str], sandbox: Sandbox
) -> None:
    ended = run("subscribe", "create", "--signing", "hmac", **given)

    (stored,) = subscriptions(sandbox)
    assert (ended.code, stored["status"]) == (0, "active")
    assert CANARY in json.dumps(stored["extension"])
    assert "header" not in stored["channel"]  # type: ignore[operator]


@pytest.mark.parametrize("missing", ["ENDPOINT", "SECRET"])
def test_without_endpoint_or_secret_nothing_is_sent(
    run: Run, given: dict[str, str], sandbox: Sandbox, missing: str
) -> None:
    ended = run("subscribe", "create", **given | {f"HER2_HTTP__WEBHOOK__{missing}": ""})

    assert ended.code == 2
    assert f"http.webhook.{missing.lower()}: is missing" in ended.err
    assert subscriptions(sandbox) == []


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[AuthorisationServer, Path]]:
    key = ec.generate_private_key(ec.SECP384R1())
    file = write_keys(tmp_path / "keys.json", [jwk(key, "one")])
    with serving(AuthorisationServer(keys={"one": key.public_key()})) as served:
        yield served, file


def test_only_this_command_asks_for_the_scope_of_subscriptions(
    run: Run, given: dict[str, str], authority: tuple[AuthorisationServer, Path]
) -> None:
    server, file = authority
    smart = {
        "HER2_SOURCE__AUTH__KIND": "smart",
        "HER2_SOURCE__AUTH__CLIENT_ID": "her2",
        "HER2_SOURCE__AUTH__KEY_FILE": str(file),
        "HER2_SOURCE__AUTH__TOKEN_URL": server.token_url,
    }
    run("subscribe", "show", **given, **smart)
    run("sync", "--dry-run", **given, **smart)

    asked, of_a_pass = [form["scope"] for form in server.forms]
    assert asked == "system/Observation.rs system/Subscription.cruds"
    assert "Subscription" not in of_a_pass

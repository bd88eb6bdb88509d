"""What a Subscription says, and what of it counts as a difference."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest

from adapter.subscriptions.hook import (
    FHIR_JSON,
    SIGNING_EXTENSION,
    Hook,
    Signing,
    criteria_of,
    is_ours,
    says_the_same,
    signing_of,
    without_secret,
)
from adapter.sync.reading.forms import Forms
from adapter.terminology.systems import ADAPTER_SYSTEM

SECRET = "a" * 32
CRITERIA = "Observation?code=85319-2"


def hook(**changed: object) -> Hook:
    given = {
        "endpoint": "https://her2.example.org/webhook",
        "secret": SECRET,
        "header_name": "X-Webhook-Secret",
        "namespace": "default",
    }
    return Hook(**{**given, **changed})  # type: ignore[arg-type]


def test_the_secret_travels_in_the_header_that_was_chosen_and_nothing_is_asked_for() -> None:
    written = hook(header_name="X-Ours").subscription(CRITERIA)

    assert written["channel"] == {
        "type": "rest-hook",
        "endpoint": "https://her2.example.org/webhook",
        "header": [f"X-Ours: {SECRET}"],
    }
    assert (written["status"], "extension" in written, "end" in written) == (
        "requested",
        False,
        False,
    )


def test_medplum_is_given_the_key_in_its_extension_and_no_header() -> None:
    written = hook(signing=Signing.HMAC).subscription(CRITERIA)

    assert written["extension"] == [{"url": SIGNING_EXTENSION, "valueString": SECRET}]
    assert "header" not in written["channel"]
    assert written["status"] == "active"


def test_a_payload_and_an_end_are_written_where_they_are_wanted() -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    written = hook(payload=FHIR_JSON, end=until).subscription(CRITERIA)

    assert written["channel"]["payload"] == "application/fhir+json"
    assert written["end"] == "2027-01-01T00:00:00+00:00"


def test_the_secret_is_not_in_the_repr_of_a_hook() -> None:
    assert SECRET not in repr(hook())


def test_each_search_by_code_is_one_subscription_that_leaves_ours_out() -> None:
    forms = Forms(tokens=("85319-2", "http://cap.org/eCC|1"), code_params=("code", "combo-code"))
    by_code, by_component = criteria_of(forms)

    kind, _, query = by_code.partition("?")
    assert kind == "Observation"
    assert parse_qsl(query) == [
        ("code", "85319-2,http://cap.org/eCC|1"),
        ("_tag:not", f"{ADAPTER_SYSTEM}|derived"),
    ]
    assert by_component.startswith("Observation?combo-code=")
    assert "_tag" not in criteria_of(forms, with_own=True)[0]


def test_what_a_code_holds_cannot_end_the_value_or_begin_another_parameter() -> None:
    forms = Forms(tokens=("a&status=final", "b\\,c#d e"))
    (criteria,) = criteria_of(forms, with_own=True)

    assert parse_qsl(criteria.partition("?")[2]) == [("code", "a&status=final,b\\,c#d e")]


def test_too_many_codes_for_one_address_are_parted() -> None:
    forms = Forms(tokens=tuple(f"code-{number:06d}" for number in range(1000)))

    parts = criteria_of(forms)
    assert len(parts) > 1
    assert all(len(one) < 4000 for one in parts)
    found = [
        token for one in parts for token in dict(parse_qsl(one.split("?")[1]))["code"].split(",")
    ]
    assert found == list(forms.tokens)


def test_ours_are_those_of_our_namespace() -> None:
    written = hook(namespace="test").subscription(CRITERIA)

    assert is_ours(written, "test")
    assert not is_ours(written, "default")
    assert not is_ours({**written, "meta": {}}, "test")


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ({}, True),
        ({"status": "active"}, True),
        ({"status": "error"}, False),
        ({"status": "off"}, False),
        ({"criteria": "Observation?code=1"}, False),
        ({"end": "2027-01-01T00:00:00Z"}, False),
        ({"reason": "in the server's words"}, True),
        ({"meta": {"versionId": "7"}}, True),
        ({"error": "once it failed"}, True),
    ],
    ids=str,
)
def test_what_counts_as_a_difference(changed: dict[str, object], is_same: bool) -> None:
    wanted = hook().subscription(CRITERIA)

    assert says_the_same({**wanted, **changed}, wanted) is is_same


def test_another_secret_endpoint_payload_or_way_of_signing_is_a_difference() -> None:
    stored = hook().subscription(CRITERIA)

    for changed in (
        {"secret": "b" * 32},
        {"endpoint": "https://elsewhere.example.org/webhook"},
        {"payload": FHIR_JSON},
        {"signing": Signing.HMAC},
        {"header_name": "X-Other"},
    ):
        assert not says_the_same(stored, hook(**changed).subscription(CRITERIA))


def test_an_end_in_the_spelling_of_a_server_is_no_difference() -> None:
    wanted = hook(end=datetime(2027, 1, 1, tzinfo=UTC)).subscription(CRITERIA)

    assert says_the_same({**wanted, "end": "2027-01-01T01:00:00.000+01:00"}, wanted)


@pytest.mark.parametrize("signing", list(Signing))
def test_what_is_switched_off_holds_no_secret(signing: Signing) -> None:
    stored = hook(signing=signing).subscription(CRITERIA)
    off = without_secret({**stored, "id": "1"})

    assert signing_of(stored) == signing.value
    assert (signing_of(off), off["status"], SECRET in str(off)) == ("none", "off", False)

"""S30: a wrong configuration ends in 2 with every mistake named, before anything is sent.

Each row is a configuration as environment variables, beside a good one, and the settings that have to
be named. The server that is configured listens, and must hear nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.unit.transport.loopback import Loopback

Row = tuple[dict[str, str], tuple[str, ...]]


def one(setting: str, value: str) -> Row:
    return {"HER2_" + setting.upper().replace(".", "__"): value}, (setting,)


SMART = {"HER2_SOURCE__AUTH__KIND": "smart", "HER2_SOURCE__AUTH__CLIENT_ID": "a"}
KEY = {"HER2_SOURCE__AUTH__KEY_FILE": "key.pem"}

ROWS: list[Row] = [
    ({"HER2_FHIR_URL": "http://fhir.example.org/r4"}, ("source.url",)),
    ({"HER2_FHIR_URL": "ftp://fhir.example.org/r4"}, ("source.url",)),
    ({"HER2_FHIR_URL": "fhir.example.org"}, ("source.url",)),
    ({"HER2_FHIR_URL": "https://user:SECRET@fhir.example.org"}, ("source.url",)),
    ({"HER2_FHIR_URL": "https://fhir.example.org/r4?key=SECRET"}, ("source.url",)),
    ({"HER2_FHIR_URL": "https://fhir.example.org/a/../b"}, ("source.url",)),
    ({"HER2_FHIR_URL": "https://fhir.example.org/r4#x"}, ("source.url",)),
    ({"HER2_FHIR_URL": "https://[::1"}, ("source.url",)),
    ({"HER2_FHIR_URL": "https://fhir.example.org/a b"}, ("source.url",)),
    one("target.url", "http://other.example.org/r4"),
    one("source.auth.kind", "oauth"),
    ({"HER2_SOURCE__AUTH__KIND": "bearer"}, ("source.auth.token",)),
    (
        {"HER2_SOURCE__AUTH__KIND": "basic"},
        ("source.auth.username", "source.auth.password"),
    ),
    (
        {"HER2_SOURCE__AUTH__KIND": "header"},
        ("source.auth.header_name", "source.auth.header_value"),
    ),
    (
        {"HER2_SOURCE__AUTH__KIND": "smart"},
        ("source.auth.client_id", "source.auth.key_file"),
    ),
    one("source.auth.token", "SECRET"),
    one("source.auth.password", "SECRET"),
    one("source.auth.client_id", "her2"),
    ({**SMART, "HER2_SOURCE__AUTH__KEY_FILE": "no-such.pem"}, ("source.auth.key_file",)),
    ({**SMART, **KEY}, ("auth.key_file",)),  # it is there, and holds no key
    (
        {**SMART, **KEY, "HER2_SOURCE__AUTH__TOKEN_URL": "http://idp.example.org/t"},
        ("source.auth.token_url",),
    ),
    (
        {**SMART, **KEY, "HER2_SOURCE__AUTH__SCOPES": 'a"b'},
        ("source.auth.scopes",),
    ),
    (
        {"HER2_SOURCE__AUTH__KIND": "bearer", "HER2_SOURCE__AUTH__TOKEN_FILE": "no-such"},
        ("HER2_SOURCE__AUTH__TOKEN_FILE",),
    ),
    ({"HER2_SOURCE__AUTH__PASSWORD_FILE": "no-such"}, ("HER2_SOURCE__AUTH__PASSWORD_FILE",)),
    (
        {"HER2_TARGET__URL": "https://t.example.org", "HER2_SOURCE__AUTH__KIND": "bearer",
         "HER2_SOURCE__AUTH__TOKEN": "SECRET"},
        ("target.auth.kind",),
    ),
    one("source.ca_file", "no-such.pem"),
    one("source.client_cert_file", "no-such.pem"),
    one("source.client_key_file", "key.pem"),
    one("source.timeout_seconds", "0"),
    one("source.timeout_seconds", "soon"),
    one("source.timeout_seconds", "nan"),
    one("source.page_size", "0"),
    one("source.page_size", "1e9"),
    one("source.rebase_links", "perhaps"),
    one("source.allow_http", "2"),
    one("target.batch_cases", "1000"),
    one("target.cases_per_minute", "0"),
    one("poll.interval_seconds", "-1"),
    one("poll.overlap_seconds", "-1"),
    one("poll.sweep_hours", "inf"),
    one("poll.laboratory_sweep", "sometimes"),
    one("policy.name", "asco"),
    one("policy.zero_plus", "maybe"),
    one("policy.site_mappings", "no-such-folder"),
    one("output.organization", "Hospital"),
    one("output.namespace", "a b"),
    one("output.snomed", "some"),
    one("brake.first_pass", "-1"),
    one("brake.withdraw_percent", "101"),
    one("mode", "read"),
    one("narratives", "on"),
    one("http.webhook.endpoint", "http://her2.example.org/webhook"),
    one("http.webhook.endpoint", "https://her2.example.org/webhook?key=SECRET"),
    one("http.webhook.secret", "SECRET-too-short"),
    one("http.webhook.earlier_secret", "SECRET:with:a:colon:0123456789abcdef"),
    one("http.webhook.header_name", "X Secret"),
    one("store.url", "mysql://u:SECRET@host/db"),
    one("log.level", "loud"),
    one("log.format", "xml"),
    ({"HER2_POLL__INTERVALL_SECONDS": "5"}, ("HER2_POLL__INTERVALL_SECONDS", "did you mean")),
    (
        {
            "HER2_MODE": "read",
            "HER2_POLL__SWEEP_HOURS": "0",
            "HER2_SOURCE__PAGE_SIZE": "x",
            "HER2_SOURCE__CA_FILE": "no-such.pem",
            "HER2_SOURCE__AUTH__KIND": "bearer",
            "HER2_SAUCE": "1",
        },
        ("mode", "poll.sweep_hours", "source.page_size", "source.ca_file", "source.auth.token",
         "HER2_SAUCE"),
    ),
]  # fmt: skip


def test_there_are_fifty_wrong_configurations() -> None:
    assert len(ROWS) >= 50


@pytest.mark.parametrize(("environment", "named"), ROWS, ids=lambda part: " ".join(part)[:60])
def test_a_wrong_configuration_is_told_whole_and_nothing_is_sent(
    environment: dict[str, str],
    named: tuple[str, ...],
    run: Run,
    loopback: Loopback,
    tmp_path: Path,
) -> None:
    (tmp_path / "key.pem").write_text("no key\n")
    (tmp_path / "key.pem").chmod(0o600)
    ended = run("sync", **{"HER2_FHIR_URL": loopback.base} | environment)
    assert ended.code == 2, ended.err
    for setting in named:
        assert setting in ended.err
    assert "SECRET" not in (ended.err + ended.out).replace("_SECRET", "")  # names of settings
    assert "Traceback" not in ended.err
    assert loopback.connections == 0


@pytest.fixture
def loopback() -> object:
    server = Loopback()
    yield server
    server.stop()

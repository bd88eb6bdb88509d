"""One event is one line and one valid JSON object, whatever stands in an id, a display or a setting (S14)."""

from __future__ import annotations

import io
import itertools
import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from adapter import logs
from adapter.audit import AuditAction, AuditEvent
from adapter.cli.printing import Block, Output, print_blocks, safe
from adapter.errors import ConfigError, InputError, StoreError
from adapter.store import open_store
from tests.unit.store.conftest import NOON

BREAKERS = (
    *("\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029", "\x1c", "\x1d", "\x1e"),  # lines
    *(
        "\x1b[2J",
        "\x1b[31m",
        "\x1b]0;title\a",
        "\x1b]8;;http://evil.test\a",
        "\x9b31m",
        "\x1bc",
    ),  # ANSI
    *("\b\b\b", "\x7f", "\0", "\a", "\x0e", "\t"),  # other controls
    *("\u202e", "\u202d", "\u202a", "\u2066", "\u2067", "\u2068", "\u061c", "\u200f"),  # direction
    *("\u200b", "\u2060", "\ufeff", "\u00ad", "\U000e0041", "\ufff9", "\u180e"),  # unseen
    *("\ud800", "\udfff", "\ue000", "\U0010ffff"),  # no characters
    *(
        '"',
        "\\",
        '"}',
        '","level":"critical","x":"',
        "\\u000a",
        "%s%n",
        "{0}",
        "${jndi:ldap://x}",
    ),  # syntax
)
FRAMES = (
    '{0}{{"event":"forged"}}',
    "Patient/1{0}",
    "{0}2026-01-01T00:00:00Z [info] forged",
    "a{0}{0}b",
)
PAYLOADS = tuple(frame.format(breaker) for breaker, frame in itertools.product(BREAKERS, FRAMES))
OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}
"""General categories of Unicode that no line may hold, but for the end of the line itself."""


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def obeyed(text: str) -> list[str]:
    return [hex(ord(one)) for one in text if one != "\n" and unicodedata.category(one) in OBEYED]


def tell_all(payload: str) -> int:
    """Log a payload wherever one could get to; returns how many events that were."""
    log = structlog.get_logger("adapter.test")
    log.info("lease_taken", holder=payload, file=payload, host=payload)
    log.info("resource_read", reference=payload, patient=payload, references=[payload])
    log.info("case_parked", key=payload, reason=payload, reasons=[payload], counts={payload: 1})
    log.info("request_sent", url=f"https://fhir.hospital.test/r4/{payload}", path=payload)
    log.info("setting_read", policy=payload, mappings=payload, version=payload)
    log.info(payload, status=200)
    log.info("unknown_key", **{payload: payload})
    events = 7
    for error in (StoreError(payload), ConfigError([payload]), InputError(payload, code=payload)):
        try:
            raise error from ValueError(payload)
        except type(error):
            log.exception("pass_failed", error=error)
            events += 1
    return events


def test_there_are_two_hundred_payloads_and_more() -> None:
    assert len(set(PAYLOADS)) >= 200


@pytest.mark.parametrize("style", ["json", "console"])
def test_each_payload_anywhere_gives_one_line_an_event(
    style: logs.Format, record_property: pytest.RecordProperty
) -> None:
    for payload in PAYLOADS:
        stream = io.StringIO()
        logs.configure(style, "info", stream, base_urls=["https://fhir.hospital.test/r4"])
        events = tell_all(payload)
        text = stream.getvalue()
        assert text.count("\n") == len(text.splitlines()) == events, ascii(payload)
        assert obeyed(text) == [], ascii(payload)
        if style == "json":
            lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
            assert {line["level"] for line in lines} == {"info", "error"}
            assert "forged" not in {line["event"] for line in lines}
    record_property("promise", "log injection")
    record_property("figure", f"{len(set(PAYLOADS))} payloads, {style}: one event is one line")


def test_what_is_written_out_can_be_told_from_what_stood_there() -> None:
    assert logs.encoded("a\nb\u202ec\U000e0041") == "a\\x0ab\\u202ec\\U000e0041"
    assert (
        logs.encoded("5\u00a0% Zellen, 2\u202f+ – größer") == "5\u00a0% Zellen, 2\u202f+ – größer"
    )


@pytest.mark.parametrize("form", list(Output))
def test_each_payload_in_a_row_of_output_is_one_row(
    form: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    for payload in PAYLOADS:
        if "\ud800" in payload or "\udfff" in payload:
            continue  # no store and no FHIR JSON lets one in
        print_blocks(form, [Block("T", {"a": "A"}, [{"a": payload}])])
        out = capsys.readouterr().out
        if form is Output.TABLE:
            assert obeyed(out) == [], ascii(payload)
        if form is Output.NDJSON:
            assert [json.loads(line) for line in out.rstrip("\n").split("\n")] == [{"a": payload}]


def test_each_payload_in_the_audit_trail_is_one_row_and_comes_out_safe() -> None:
    with open_store("sqlite://") as store:
        for payload in PAYLOADS:
            event = AuditEvent(
                AuditAction.BRAKE_RELEASED, "done", payload, NOON, facts={"a": payload}
            )
            store.record([event])
        rows = store.recorded(limit=10_000)
        assert len(rows) == len(PAYLOADS) + 1
        assert store.check_trail().is_sound
    assert obeyed(safe("".join(row.actor for row in rows)[:400])) == []

"""Protects patients in messages: of what a server says, only what cannot name a person is kept."""

from __future__ import annotations

import time
from typing import Any

import pytest

from adapter.errors import (
    AmbiguousMatch,
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    VersionConflict,
)
from adapter.fhir.strict_json import read_json, write_json
from adapter.transport.http import Answer
from adapter.transport.outcome import error_in, issues_of, refusal


def outcome(*issues: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def summary(text: str, code: str = "processing") -> str:
    (issue,) = issues_of(outcome({"severity": "error", "code": code, "diagnostics": text}))
    return issue.summary()


@pytest.mark.parametrize(
    "text",
    [
        'Invalid value "CANARY" for gender',
        'Unclosed "CANARY and more CANARY',
        "Invalid value 'CANARY' for gender",
        "Name 'O'CANARY' is wrong",
        "Unclosed 'CANARY and more",
        "typographic “CANARY” and ‘CANARY’ and «CANARY» and `CANARY`",
        "German „CANARY“ quotes",
        "<div>CANARY</div>",
        "<CANARY",
        "GET Patient?family=CANARY&given=x failed",
        "no match for urn:oid:1.2|CANARY here",
        "CANARY|123",
    ],
)
def test_what_may_be_a_value_is_taken_out_of_a_servers_words(text: str) -> None:
    if text.startswith("<div>"):
        assert "<" not in summary(text)
    else:
        assert "CANARY" not in summary(text)


@pytest.mark.parametrize(
    "value", ["1954-03-02", "1954-03", "1954-03-02T10:00:00Z", "02.03.1954", "3/2/54", "12345678"]
)
def test_dates_and_long_numbers_are_taken_out(value: str) -> None:
    assert value not in summary(f"cannot read {value} here")


def test_what_helps_an_operator_stays() -> None:
    text = "HAPI-1094: Resource Specimen/a-12345678 not found, specified in path: subject"
    assert summary(text, "not-found") == (
        "not-found HAPI-1094 Resource Specimen/a-12345678 not found, specified in path: subject"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Invalid patient CANARY for gender",
        "Patient Canary born on day 3 is not valid",
        "canary is not a valid value",
        "name: May Canary",
        "Could not parse line 3: CANARY^JANE^^^",
        "Bearer sqz.CANARY_7a1f",
        "No such Practitionerx/CANARY",
        "Jöhanna CANARY",
    ],
)
def test_a_name_without_quotes_is_taken_out_too(text: str) -> None:
    said = summary(text).lower()
    assert "canary" not in said
    assert "may" not in said.split()
    assert "bearer" not in said


def test_words_that_servers_use_stay_and_others_are_one_gap() -> None:
    text = "The operation has failed with a version constraint failure. Jane Doe said so."
    assert summary(text) == (
        "processing The operation has failed with a version constraint failure. … so."
    )


def test_a_servers_words_are_cut_at_256_characters() -> None:
    assert len(summary("resource " * 5000)) == 256


@pytest.mark.parametrize("piece", ["a", "1", "a'", "|", "<", '"', "?", "1954-"])
def test_a_text_without_end_takes_no_time_without_end(piece: str) -> None:
    began = time.monotonic()
    assert len(summary(piece * 5_000_000)) <= 256
    assert time.monotonic() - began < 1


def test_a_code_that_is_a_sentence_is_not_kept() -> None:
    assert "Mrs" not in summary("text", code="Mrs Smith is not known")


def test_details_are_read_where_there_are_no_diagnostics() -> None:
    (issue,) = issues_of(
        outcome({"severity": "error", "code": "conflict", "details": {"text": "locked"}})
    )
    assert issue.summary() == "conflict locked"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {"resourceType": "Patient", "issue": [{"diagnostics": "x"}]},
        outcome(),
        {"resourceType": "OperationOutcome", "issue": "x"},
        {"resourceType": "OperationOutcome", "issue": [None, 1, "x"]},
    ],
)
def test_what_is_no_operation_outcome_has_no_issues(body: Any) -> None:
    assert issues_of(body) == ()


@pytest.mark.parametrize(
    "issue",
    [
        {},
        {"severity": 1, "code": 2, "diagnostics": 3, "details": 4},
        {"details": {"text": None}},
        {"diagnostics": None},
    ],
)
def test_a_malformed_issue_is_read_without_raising(issue: dict[str, Any]) -> None:
    (read,) = issues_of(outcome(issue))
    assert isinstance(read.summary(), str)


SEVERITIES = [
    ("fatal", "exception", TemporaryServerError),
    ("error", "timeout", TemporaryServerError),
    ("error", "throttled", TemporaryServerError),
    ("error", "lock-error", TemporaryServerError),
    ("error", "incomplete", TemporaryServerError),
    ("error", "forbidden", NotAuthorised),
    ("error", "expired", NotAuthorised),
    ("error", "invalid", PermanentServerError),
    ("fatal", "not-supported", PermanentServerError),
]


@pytest.mark.parametrize(("severity", "code", "error"), SEVERITIES)
def test_an_error_within_a_good_answer_is_an_error(
    severity: str, code: str, error: type[ServerError]
) -> None:
    found = error_in(issues_of(outcome({"severity": severity, "code": code})))
    assert type(found) is error


@pytest.mark.parametrize("severity", ["warning", "information", "success", ""])
def test_a_warning_within_a_good_answer_is_no_error(severity: str) -> None:
    assert error_in(issues_of(outcome({"severity": severity, "code": "invalid"}))) is None


def refused(status: int, body: bytes) -> ServerError:
    return refusal(Answer(status, {}, body), read_json=read_json, retry_after=None)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>CANARY</html>",
        b"CANARY",
        b'{"message": "CANARY"}',
        b'{"resourceType": "Patient", "id": "CANARY"}',
        b'{"a": 1, "a": "CANARY"}',
        b"\xff\xfeCANARY",
        b"",
    ],
)
def test_a_body_that_is_no_operation_outcome_is_not_quoted(body: bytes) -> None:
    assert str(refused(400, body)) == "the server answered 400"


MATCHES = [
    (412, "multiple-matches", "Multiple resources found matching condition", AmbiguousMatch),
    (409, "multiple-matches", "", AmbiguousMatch),
    (
        412,
        "processing",
        'HAPI-0958: match URL "x": search matched 2 resources',
        AmbiguousMatch,
    ),
    (412, "processing", "HAPI-0989: version 1 but the current is 2", VersionConflict),
    (412, "conflict", "Precondition Failed", VersionConflict),
    (409, "processing", "HAPI-0550: several clients may have tried to insert", VersionConflict),
    (409, "conflict", "multiple writers", VersionConflict),
]


@pytest.mark.parametrize(("status", "code", "text", "error"), MATCHES)
def test_several_matches_are_told_from_a_version_conflict(
    status: int, code: str, text: str, error: type[ServerError]
) -> None:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    assert type(refused(status, write_json(outcome(issue)))) is error

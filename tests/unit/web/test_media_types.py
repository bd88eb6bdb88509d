"""JSON of R4 in UTF-8, and nothing else."""

from __future__ import annotations

import pytest

from adapter.web.media_types import accepts_fhir_json, is_fhir_json


@pytest.mark.parametrize(
    "given",
    [
        "application/fhir+json",
        "application/json",
        "Application/FHIR+JSON; charset=UTF-8",
        'application/fhir+json;charset="utf-8";fhirVersion=4.0',
    ],
)
def test_json_of_r4_is_read(given: str) -> None:
    assert is_fhir_json(given)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "application/fhir+xml",
        "text/plain",
        "application/x-ndjson",
        "application/fhir+json; fhirVersion=5.0",
        "application/fhir+json; charset=iso-8859-1",
        "multipart/form-data; boundary=x",
        ";;;",
        f"application/fhir+json; a*{'9' * 5000}=1",
    ],
)
def test_everything_else_is_not(given: str) -> None:
    assert not is_fhir_json(given)


@pytest.mark.parametrize(
    ("accept", "asked"),
    [
        ("", None),
        ("*/*", None),
        ("application/*;q=0.5", None),
        ("application/fhir+xml, application/fhir+json;q=0.9", None),
        ("application/fhir+json; fhirVersion=4.0", None),
        ("application/fhir+xml", "json"),
        ("", "application/fhir json"),
    ],
)
def test_who_takes_json_is_answered(accept: str, asked: str | None) -> None:
    assert accepts_fhir_json(accept, asked)


@pytest.mark.parametrize(
    ("accept", "asked"),
    [
        ("application/fhir+xml", None),
        ("text/html", None),
        ("application/fhir+json;q=0", None),
        ("application/fhir+json;q=much", None),
        ("application/fhir+json; fhirVersion=3.0", None),
        ("*/*", "xml"),
        ("*/*", ""),
        (f"application/fhir+json; a*{'9' * 5000}=1", None),
    ],
)
def test_who_takes_none_is_not(accept: str, asked: str | None) -> None:
    assert not accepts_fhir_json(accept, asked)

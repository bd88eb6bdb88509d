"""Protects what is read from the sources themselves: versions, hashes, specimen, focus, times.

A time that is not FHIR's, or a reference that cannot be written, must not get into the record.
"""

from __future__ import annotations

import pytest

from adapter.fhir.identity import content_hash
from adapter.fhir.record.sources import (
    SourceFacts,
    Timing,
    date_time,
    earliest,
    source_facts,
    timing,
)
from tests.unit.fhir.record_builders import SPECIMEN, Json, observation


def test_version_hash_and_specimen_come_from_the_resource_as_it_was_read() -> None:
    read = observation(meta={"versionId": "0c31-opaque"})
    found = source_facts(read, SPECIMEN)
    assert found == SourceFacts(
        reference="Observation/ihc-1",
        version="0c31-opaque",
        content_hash=content_hash(read),
        specimen="Specimen/s1",
        effective=Timing("2026-01-10"),
        collected=Timing("2026-01-05T10:00:00+01:00"),
    )


@pytest.mark.parametrize("meta", [None, {}, {"versionId": 3}, "broken"])
def test_a_server_without_versions_gives_none(meta: object) -> None:
    assert source_facts(observation(meta=meta)).version is None


def test_references_inside_a_bundle_are_followed_through_their_full_urls() -> None:
    urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
    read = observation(specimen={"reference": urn}, focus=[{"reference": urn}])
    assert source_facts(read).specimen is None
    assert source_facts(read).focus is None
    found = source_facts(read, aliases={urn: "Specimen/s9"})
    assert (found.specimen, found.focus) == ("Specimen/s9", ("Specimen/s9",))


def test_absolute_references_of_the_reading_server_are_made_relative() -> None:
    read = observation(specimen={"reference": "http://fhir.local/r4/Specimen/s1"})
    assert source_facts(read, base_urls=["http://fhir.local/r4/"]).specimen == "Specimen/s1"


@pytest.mark.parametrize("broken", [{}, {"reference": 7}, "Specimen/1", None])
def test_a_broken_specimen_reference_is_none(broken: object) -> None:
    assert source_facts(observation(specimen=broken)).specimen is None


@pytest.mark.parametrize("collection", [None, "broken", {"collectedDateTime": "yesterday"}])
def test_a_specimen_without_a_usable_collection_time_gives_none(collection: object) -> None:
    specimen = {"resourceType": "Specimen", "collection": collection}
    assert source_facts(observation(), specimen).collected is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026", "2026"),
        ("2026-01", "2026-01"),
        ("2026-01-10", "2026-01-10"),
        ("2026-01-10T08:00:00Z", "2026-01-10T08:00:00Z"),
        ("2026-01-10T08:00:00.123+01:00", "2026-01-10T08:00:00.123+01:00"),
        ("2026-01-10T08:00:00", "2026-01-10"),
        ("2026-01-10T08:00Z", "2026-01-10"),
        ("2026-01-10 08:00", "2026-01-10"),
        ("2026-02-30", None),
        ("2026-13", None),
        ("0000", None),
        ("0001-01-01T00:00:00+05:00", "0001-01-01"),
        ("10.01.2026", None),
        ("", None),
        (None, None),
        (20260110, None),
    ],
)
def test_a_date_is_copied_only_where_it_is_fhir(written: object, read: str | None) -> None:
    assert date_time(written) == read


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"effectiveDateTime": "2026-01"}, ("effectiveDateTime", "2026-01")),
        (
            {"effectiveInstant": "2026-01-10T08:00:00Z"},
            ("effectiveDateTime", "2026-01-10T08:00:00Z"),
        ),
        (
            {"effectivePeriod": {"start": "2026-01-10", "end": "2026-01-11"}},
            ("effectivePeriod", {"start": "2026-01-10", "end": "2026-01-11"}),
        ),
        (
            {"effectivePeriod": {"end": "2026-01-11"}},
            ("effectivePeriod", {"end": "2026-01-11"}),
        ),
        (
            {"effectivePeriod": {"start": "2026-01-12", "end": "2026-01-11"}},
            ("effectivePeriod", {"start": "2026-01-12"}),
        ),
    ],
    ids=["dateTime", "instant", "period", "open period", "period that ends before it begins"],
)
def test_a_timing_is_written_as_it_was_read(element: Json, expected: tuple[str, object]) -> None:
    read = timing(element, "effective")
    assert read is not None
    assert read.element("effective") == expected


@pytest.mark.parametrize(
    "element",
    [{}, {"effectivePeriod": {}}, {"effectivePeriod": "x"}, {"effectiveTiming": {}}],
)
def test_no_timing_is_none(element: Json) -> None:
    assert timing(element, "effective") is None


@pytest.mark.parametrize(
    ("several", "first"),
    [
        (["2026-02", "2026-01-31"], "2026-01-31"),
        (["2026-01", "2026-01-01"], "2026-01-01"),
        (["2026-01-10T00:30:00+01:00", "2026-01-10"], "2026-01-10T00:30:00+01:00"),
        (["2026-01-10T08:00:00Z", "2026-01-10T08:30:00+01:00"], "2026-01-10T08:30:00+01:00"),
    ],
    ids=["month and day", "same day, other precision", "zone before midnight", "zones"],
)
def test_the_earliest_time_counts_with_its_precision(several: list[str], first: str) -> None:
    timings = [Timing(text) for text in several]
    assert earliest([None, *timings]) == earliest(reversed(timings)) == Timing(first)


def test_the_earliest_of_nothing_is_nothing() -> None:
    assert earliest([None, None]) is None

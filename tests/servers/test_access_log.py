"""Protects the count of writes at the server: a batch of reads is none, all else that writes is."""

import pytest

from tests.servers.hapi import LoggedRequest


@pytest.mark.parametrize(
    ("method", "target", "entries", "writes"),
    [
        pytest.param("GET", "/fhir/Observation?code=1", {}, False, id="search"),
        pytest.param("POST", "/fhir/Observation/_search", {}, False, id="search-by-post"),
        pytest.param("POST", "/fhir/Observation/$validate", {}, False, id="validate"),
        pytest.param("POST", "/fhir", {"GET": 3}, False, id="batch-of-reads"),
        pytest.param("POST", "/fhir", {"GET": 3, "PUT": 1}, True, id="batch-with-one-update"),
        pytest.param("POST", "/fhir", {}, True, id="bundle-refused-unread"),
        pytest.param("POST", "/fhir/Observation", {}, True, id="create"),
        pytest.param("PUT", "/fhir/Observation/a", {}, True, id="update"),
        pytest.param("DELETE", "/fhir/Observation/a", {}, True, id="delete"),
        pytest.param("PATCH", "/fhir/Observation/a", {}, True, id="patch"),
    ],
)
def test_only_requests_that_could_change_something_count_as_writes(
    method: str, target: str, entries: dict[str, int], writes: bool
) -> None:
    request = LoggedRequest(number=1, method=method, status=200, target=target, entries=entries)
    assert request.is_write is writes

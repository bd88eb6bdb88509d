"""Protects the list of patients in a FHIR Group: who is a member now, and what is no whole list."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.errors import ListUnusable
from adapter.sync.reading.group import MOST_GROUPS, PatientsOfGroup
from tests.fakes.clock import FakeClock
from tests.fakes.server import FakeFhirServer


@pytest.fixture
def server() -> FakeFhirServer:
    return FakeFhirServer(FakeClock())


def group(server: FakeFhirServer, *members: Any, name: str = "her2", **elements: Any) -> None:
    """Store a Group; a member is a reference, or a whole member."""
    listed = [one if isinstance(one, dict) else {"entity": {"reference": one}} for one in members]
    made = {"resourceType": "Group", "id": name, "type": "person", "actual": True}
    server.put({**made, "member": listed, **elements})


def read(server: FakeFhirServer) -> tuple[str, ...]:
    return PatientsOfGroup(server, "Group/her2").read().patients


def test_its_members_are_listed_once_and_sorted(server: FakeFhirServer) -> None:
    absolute = f"{server.base_url}/Patient/c"
    group(server, "Patient/b", "Patient/a", "Patient/b", absolute, "Patient/d/_history/2")
    assert read(server) == ("Patient/a", "Patient/b", "Patient/c", "Patient/d")


def test_an_inactive_member_is_left_out(server: FakeFhirServer) -> None:
    gone = {"entity": {"reference": "Patient/b"}, "inactive": True}
    here = {"entity": {"reference": "Patient/c"}, "inactive": False}
    group(server, "Patient/a", gone, here)
    assert read(server) == ("Patient/a", "Patient/c")


def test_a_group_among_the_members_is_followed_and_one_that_names_the_first_ends(
    server: FakeFhirServer,
) -> None:
    group(server, "Patient/a", "Group/other", "Practitioner/p", "Device/d")
    group(server, "Patient/b", "Group/her2", name="other")
    assert read(server) == ("Patient/a", "Patient/b")


def test_members_that_are_nowhere_on_this_server_are_said(server: FakeFhirServer) -> None:
    foreign = "https://elsewhere.test/fhir/Patient/x"
    group(server, "Patient/a", "#contained", foreign, {"entity": {"display": "Jane"}})
    listed = PatientsOfGroup(server, "Group/her2").read()
    assert listed.patients == ("Patient/a",)
    (said,) = listed.warnings
    assert "no resource of this server" in said
    assert "Jane" not in said
    assert foreign not in said


def test_a_group_that_counts_more_than_it_lists_is_said(server: FakeFhirServer) -> None:
    group(server, "Patient/a", quantity=2)
    (said,) = PatientsOfGroup(server, "Group/her2").read().warnings
    assert "counts 2 members and lists 1" in said


def test_what_names_nobody_or_came_shortened_is_no_list(server: FakeFhirServer) -> None:
    with pytest.raises(ListUnusable, match="not on the source"):
        read(server)
    group(server, {"entity": {"reference": "Patient/a"}, "inactive": True})
    with pytest.raises(ListUnusable, match="no active patient"):
        read(server)
    group(server, "Patient/a", meta={"tag": [{"code": "SUBSETTED"}]})
    with pytest.raises(ListUnusable, match="shortened"):
        read(server)
    server.delete("Group/her2")
    with pytest.raises(ListUnusable, match="not on the source"):
        read(server)


def test_groups_without_end_are_no_list(server: FakeFhirServer) -> None:
    group(server, "Group/g0")
    for number in range(MOST_GROUPS + 1):
        group(server, f"Group/g{number + 1}", name=f"g{number}")
    with pytest.raises(ListUnusable, match="more than"):
        read(server)


def test_it_is_read_anew_each_time(server: FakeFhirServer) -> None:
    group(server, "Patient/a")
    patients = PatientsOfGroup(server, "Group/her2")
    patients.read()
    group(server, "Patient/b")
    assert patients.read().patients == ("Patient/b",)

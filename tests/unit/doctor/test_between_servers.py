"""What the doctor asks beside the usual: a reference to the server that is read, and the Group that names patients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.doctor.findings import Examination, Topic
from adapter.doctor.judge import Advice, advise
from adapter.doctor.remedies import remedies
from adapter.sandbox.exchange import FhirRequest
from tests.unit.doctor.conftest import Clinic
from tests.unit.doctor.test_manners import outcome

ELSEWHERE = "https://results.test/fhir"


def examined(clinic: Clinic) -> tuple[Examination, Advice]:
    found = clinic.examine(is_source=False, source_url=ELSEWHERE)
    return found, advise(found, writes=True, page_size=500, entries=50)


def test_a_server_that_takes_them_can_be_written_to(clinic: Clinic) -> None:
    found, advice = examined(clinic)
    assert found.works(Topic.FOREIGN_REFERENCES)
    assert not advice.cannot_write
    assert clinic.standing() == []


def test_one_that_refuses_them_cannot_and_the_page_says_what_to_paste(clinic: Clinic) -> None:
    clinic.instead = lambda one: (
        outcome(400) if one.method == "PUT" and ELSEWHERE.encode() in one.body else None
    )
    found, advice = examined(clinic)
    assert found.findings[Topic.FOREIGN_REFERENCES].says == "are refused (400)"
    assert advice.cannot_write
    assert any("each result would be parked" in one for one in advice.sentences)
    said = remedies(replace(found, software="HAPI FHIR Server"), advice, 500)
    assert any("allow_external_references: true" in one.text for one in said)


def test_one_that_alters_them_cannot_either(clinic: Clinic) -> None:
    def altered(one: FhirRequest) -> FhirRequest:
        return replace(one, body=one.body.replace(f"{ELSEWHERE}/".encode(), b""))

    clinic.on_the_way = altered
    found, advice = examined(clinic)
    assert (found.value(Topic.FOREIGN_REFERENCES), advice.cannot_write) == (False, True)


@pytest.mark.parametrize("asked", [{}, {"no_writes": "a source is only read"}])
def test_it_is_asked_only_where_two_servers_are_in_use(
    clinic: Clinic, asked: dict[str, str]
) -> None:
    assert Topic.FOREIGN_REFERENCES not in clinic.examine(**asked).findings


def test_a_group_that_may_not_be_read_is_a_missing_scope(clinic: Clinic) -> None:
    clinic.instead = lambda one: outcome(403) if one.path.startswith("Group/") else None
    found = clinic.examine(no_writes="it takes a write", group=True)
    advice = advise(found, writes=True, page_size=500, entries=50, group=True)
    assert "system/Group.r" in advice.scopes
    assert advice.missing == ("system/Group.r",)
    without = clinic.examine(no_writes="it takes a write")
    assert without.denied == frozenset()

"""The difference between what ought to stand and what stands, decision by decision.

Protects the plan: identity, repair of copies, reasons of withdrawal, waiting, and what counts as a change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapter.fhir.identity import category_of
from adapter.fhir.record.derive import DeriveContext, record_id
from adapter.fhir.record.sources import SourceFacts
from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.model import (
    Assay,
    Evidence,
    IhcResult,
    IhcScore,
    ResultStatus,
    SampleLinks,
    Source,
)
from adapter.her2.policy import ASCO_CAP_2023
from adapter.ports import JsonObject
from adapter.sync.planning.plan import Action, Desired, Planned, Standing, plan
from tests.fakes.clock import START
from tests.fakes.site import catalogue

CONTEXT = DeriveContext(
    now=START,
    policy=ASCO_CAP_2023,
    output=catalogue().output,
    software_version="0.1.0",
    mappings_version=catalogue().version,
)


def desired(
    score: IhcScore = IhcScore.ONE_PLUS,
    *,
    source: str = "Observation/ihc",
    specimen: str = "Specimen/s",
    status: ResultStatus = ResultStatus.FINAL,
) -> Desired:
    evidence = Evidence(
        source=Source(source, "1", status),
        subject="Patient/anna",
        assay=Assay.IHC,
        ihc=IhcResult(scores=(score,)),
        links=SampleLinks(specimen=specimen),
    )
    (case,) = group([evidence])
    facts = {source: SourceFacts(source, "1", "hash", specimen)}
    return Desired(case, classify(case), facts)


def standing(one: Desired, *, version: str = "7", **elements: Any) -> JsonObject:
    """The derived Observation of a case, as a server holds it."""
    (planned,) = plan([one], Standing([]), CONTEXT)
    assert planned.body is not None
    return {**planned.body, "meta": {"versionId": version}, **elements}


def decide(wanted: list[Desired], stands: Standing) -> list[Planned]:
    return list(plan(wanted, stands, CONTEXT))


def test_nothing_stands_and_a_case_is_there_so_it_is_created() -> None:
    (one,) = decide([desired()], Standing([]))
    assert (one.action, one.replaced, one.after) == (Action.CREATE, None, "low")
    assert one.key == record_id(desired().case, CONTEXT)


def test_equal_content_is_not_written() -> None:
    (one,) = decide([desired()], Standing([standing(desired())]))
    assert (one.action, one.body) == (Action.SKIP, None)


def test_other_content_is_written_over_the_version_that_stands() -> None:
    (one,) = decide([desired(IhcScore.THREE_PLUS)], Standing([standing(desired())]))
    assert (one.action, one.replaced) == (Action.UPDATE, "7")
    assert (one.before, one.after, one.is_change) == ("low", "positive", True)


def test_the_same_category_with_other_content_is_no_change_of_category() -> None:
    edited = standing(desired(), note=[{"text": "edited"}])
    (one,) = decide([desired()], Standing([edited]))
    assert (one.action, one.is_change) == (Action.UPDATE, False)


@pytest.mark.parametrize(
    ("stands", "reason", "for_absence", "is_change"),
    [
        (Standing([], gone=frozenset({"Observation/ihc"})), "source-gone", True, False),
        (
            Standing([], statuses={"Observation/ihc": "entered-in-error"}),
            "source-taken-back",
            False,
            False,
        ),
        (
            Standing([], statuses={"Observation/ihc": "cancelled"}),
            "source-taken-back",
            False,
            False,
        ),
        (Standing([], statuses={"Observation/ihc": "final"}), "nothing-usable", False, True),
    ],
    ids=["gone", "entered-in-error", "cancelled", "not-read-any-more"],
)
def test_a_result_whose_case_is_gone_is_withdrawn_with_the_reason(
    stands: Standing, reason: str, for_absence: bool, is_change: bool
) -> None:
    (one,) = decide([], replace(stands, derived=[standing(desired())]))
    assert (one.action, one.reason) == (Action.RETRACT, reason)
    assert (one.is_for_absence, one.is_change) == (for_absence, is_change)
    assert one.body is not None
    assert one.body["status"] == "entered-in-error"
    assert category_of(one.body) == "low"


def test_a_case_that_joined_otherwise_withdraws_the_old_identity() -> None:
    moved = desired(specimen="Specimen/other")
    created, retracted = sorted(
        decide([moved], Standing([standing(desired())])), key=lambda one: one.action
    )
    assert created.action is Action.CREATE
    assert (retracted.action, retracted.reason) == (Action.RETRACT, "joined-otherwise")


def test_a_case_with_nothing_usable_withdraws_what_stands() -> None:
    taken_back = desired(status=ResultStatus.ENTERED_IN_ERROR)
    (one,) = decide([taken_back], Standing([standing(desired())]))
    assert one.action is Action.RETRACT


def test_what_is_withdrawn_already_is_left_alone() -> None:
    withdrawn = standing(desired(), status="entered-in-error")
    (one,) = decide([], Standing([withdrawn], gone=frozenset({"Observation/ihc"})))
    assert (one.action, one.body) == (Action.SKIP, None)


def test_what_was_withdrawn_is_reinstated_as_amended() -> None:
    withdrawn = standing(desired(), status="entered-in-error")
    (one,) = decide([desired()], Standing([withdrawn]))
    assert one.body is not None
    assert (one.action, one.body["status"]) == (Action.UPDATE, "amended")
    assert one.before is None
    assert not one.is_change


def test_several_copies_of_one_identity_leave_one_survivor() -> None:
    right = standing(desired())
    copies = [{**right, "id": name} for name in ("zz", "aa")]
    decisions = decide([desired()], Standing([*copies, right]))
    kept = [one for one in decisions if one.action is Action.SKIP]
    repaired = [one for one in decisions if one.action is Action.REPAIR]
    assert [one.key for one in kept] == [right["id"]]
    assert [one.key for one in repaired] == ["aa", "zz"]
    assert all(one.body and one.body["status"] == "entered-in-error" for one in repaired)
    assert not any(one.is_change for one in repaired)


def test_without_the_deterministic_id_the_lowest_id_survives() -> None:
    right = standing(desired())
    copies = [{**right, "id": name} for name in ("zz", "aa", "mm")]
    decisions = decide([desired()], Standing(copies))
    assert {one.key: one.action for one in decisions} == {
        "aa": Action.SKIP,
        "mm": Action.REPAIR,
        "zz": Action.REPAIR,
    }


def test_copies_that_are_repaired_are_not_repaired_again() -> None:
    right = standing(desired())
    copy = {**right, "id": "aa", "status": "entered-in-error"}
    (one,) = decide([desired()], Standing([right, copy]))
    assert one.action is Action.SKIP


def test_an_unconfirmed_absence_leaves_what_stands() -> None:
    (one,) = decide([], Standing([standing(desired())], unconfirmed=frozenset({"Observation/ihc"})))
    assert (one.action, one.body) == (Action.WAIT, None)


def test_a_case_that_shares_a_source_with_a_waiting_one_waits_too() -> None:
    both = standing(
        desired(), derivedFrom=[{"reference": f"Observation/{name}"} for name in ("ihc", "lost")]
    )
    moved = desired(specimen="Specimen/other")
    decisions = decide([moved], Standing([both], unconfirmed=frozenset({"Observation/lost"})))
    assert [one.action for one in decisions] == [Action.WAIT, Action.WAIT]


def test_the_order_of_cases_and_copies_changes_nothing() -> None:
    cases = [desired(specimen=f"Specimen/{n}", source=f"Observation/{n}") for n in range(4)]
    stands = [standing(one, version=str(n)) for n, one in enumerate(cases[:2])]
    forward = decide(cases, Standing(stands))
    backward = decide(cases[::-1], Standing(stands[::-1]))
    assert forward == backward


def test_a_namespace_of_its_own_is_marked_on_what_is_written() -> None:
    (one,) = plan([desired()], Standing([]), replace(CONTEXT, namespace="demo"))
    assert one.body is not None
    assert {"system": "https://w3id.org/her2-adapter/CodeSystem/namespace", "code": "demo"} in (
        one.body["meta"]["tag"]
    )

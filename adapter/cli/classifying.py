"""`classify` and `derive`: files in, categories or derived resources out, no server anywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.exit_codes import DONE, FAIL_ON, WRONG_USAGE
from adapter.cli.inputs import Files, Input, read_input
from adapter.cli.printing import (
    Block,
    Output,
    complain,
    counted,
    number_of,
    print_blocks,
    say,
    write_out,
)
from adapter.cli.shared import Shared
from adapter.errors import InputError

if TYPE_CHECKING:
    from adapter.offline.answers import Answers


class FailOn(StrEnum):
    """What a caller may want to be told by exit code 4."""

    PARKED = "parked"
    REVIEW = "review"
    UNMAPPED = "unmapped"


FailOnOption = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="LIST",
        help="End in 4 when any of these occurs: parked, review, unmapped (with commas).",
    ),
]


def fail_on(text: str | None) -> frozenset[FailOn]:
    """Read the list of --fail-on; a wrong word is wrong usage."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    wrong = [word for word in words if word not in set(FailOn)]
    if wrong:
        raise typer.BadParameter(f"{', '.join(wrong)}: knows {', '.join(FailOn)}")
    return frozenset(map(FailOn, words))


def classify(shared: Shared, files: Files = None, fail_on_list: FailOnOption = None) -> int:
    """Classify the HER2 results in FHIR files; no server is asked.

    Prints one line for each tumour sample, and one for each Observation that was set aside, with
    the reason.
    """
    from adapter.bootstrap import catalogue_of, links_of, policy_of
    from adapter.cli.lines import ASIDE_COLUMNS, CASE_COLUMNS, aside_line, case_line, with_sample
    from adapter.offline.answers import answer

    conditions = fail_on(fail_on_list)
    settings = shared.settings()
    given = read_input(files)
    answers = answer(
        given.documents.documents,
        catalogue_of(settings),
        policy_of(settings),
        links=links_of(settings),
    )
    cases = [case_line(one.case, one.classification) for one in answers.written]
    aside = [
        aside_line(fate.observation, fate.subject, fate.outcome, fate.reason)
        for fate in answers.set_aside
    ]
    form = shared.form
    shown = [with_sample(line) for line in cases] if form is Output.TABLE else cases
    print_blocks(
        form,
        [Block("HER2 category", CASE_COLUMNS, shown), Block("Set aside", ASIDE_COLUMNS, aside)],
    )
    say(summary(answers, given), *(link.sentence for link in answers.unused_links))
    if given.refused:
        return WRONG_USAGE
    return FAIL_ON if _occurs(answers, conditions) else DONE


def summary(answers: Answers, given: Input) -> str:
    """Say in a sentence what became of the input."""
    counts = answers.outcomes
    names = ("used", "not-her2", "not-applicable", "no-result", "unreadable", "ignored")
    results = counted((name, counts[name]) for name in names if name in counts) or "none"
    broken = len(given.documents.defects) + len(given.refused)
    observations = number_of(len(answers.fates), "Observation")
    said = f"{observations} ({results}); {number_of(len(answers.written), 'sample')}"
    parts = f"{number_of(broken, 'part')} of the input could not be read"
    return f"{said}; {parts}" if broken else said


def _occurs(answers: Answers, conditions: frozenset[FailOn]) -> bool:
    needs_review = any(one.classification.review for one in answers.written)
    is_unmapped = any(fate.outcome == "unreadable" for fate in answers.set_aside)
    return (FailOn.REVIEW in conditions and needs_review) or (
        FailOn.UNMAPPED in conditions and is_unmapped
    )


Complete = Annotated[
    bool,
    typer.Option(
        "--complete",
        help=(
            "The input holds everything the server has for these patients, our own derived "
            "Observations included: give a transaction with PUT and ifMatch."
        ),
    ),
]


def derive(shared: Shared, files: Files = None, complete: Complete = False) -> int:
    """Derive the FHIR resources for the HER2 results in files; no server is asked.

    Prints a collection Bundle: part of a patient's results must never overwrite what all of them
    gave. With ndjson one resource a line, with table or csv the samples.
    """
    from datetime import UTC, datetime

    from adapter.bootstrap import catalogue_of, context_of, links_of, policy_of
    from adapter.offline.answers import answer
    from adapter.offline.record import derived_collection, derived_transaction

    settings = shared.settings()
    given = read_input(files)
    if complete and (given.refused or given.documents.defects):
        raise InputError(
            "--complete asks for an input that can be read whole; nothing was derived",
            code="not-complete",
        )
    catalogue = catalogue_of(settings)
    context = context_of(settings, catalogue, datetime.now(UTC))
    answers = answer(
        given.documents.documents, catalogue, policy_of(settings), links=links_of(settings)
    )
    make = derived_transaction if complete else derived_collection
    derived = make(answers, context)
    _print_bundle(derived.bundle, Output(shared.output) if shared.output else Output.JSON)
    for problem in (*derived.problems, *(link.sentence for link in answers.unused_links)):
        complain(problem)
    what = counted((f"to {name}" if complete else name, n) for name, n in derived.actions.items())
    say(f"{summary(answers, given)}; {what or 'nothing to write'}")
    return WRONG_USAGE if given.refused else DONE


DERIVED_COLUMNS = {
    "id": "Derived Observation",
    "status": "Status",
    "subject": "Patient",
    "category": "Category",
    "sources": "Sources",
}


def _print_bundle(bundle: dict[str, Any], form: Output) -> None:
    from adapter.fhir.identity import category_of
    from adapter.fhir.shapes import child, references
    from adapter.fhir.strict_json import write_json

    resources = [entry["resource"] for entry in bundle.get("entry", [])]
    if form is Output.JSON:
        write_out(write_json(bundle).decode())
    elif form is Output.NDJSON:
        for resource in resources:
            write_out(write_json(resource).decode())
    else:
        rows = [
            {
                "id": one["id"],
                "status": one["status"],
                "subject": child(one, "subject").get("reference"),
                "category": category_of(one),
                "sources": references(one.get("derivedFrom")),
            }
            for one in resources
            if one["resourceType"] == "Observation"
        ]
        print_blocks(form, [Block("Derived", DERIVED_COLUMNS, rows)])

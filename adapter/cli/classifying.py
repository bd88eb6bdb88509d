"""`classify` and `derive`: files in, categories or derived resources out, no server anywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.exit_codes import DONE, FAIL_ON, WRONG_USAGE
from adapter.cli.inputs import Files, Input, read_input
from adapter.cli.printing import Block, Output, counted, print_blocks, say
from adapter.cli.shared import Shared

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
    from adapter.bootstrap import catalogue_of, policy_of
    from adapter.cli.lines import ASIDE_COLUMNS, CASE_COLUMNS, aside_line, case_line, with_sample
    from adapter.offline.answers import answer

    conditions = fail_on(fail_on_list)
    settings = shared.settings()
    given = read_input(files)
    answers = answer(given.documents.documents, catalogue_of(settings), policy_of(settings))
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
    say(summary(answers, given))
    if given.refused:
        return WRONG_USAGE
    return FAIL_ON if _occurs(answers, conditions) else DONE


def summary(answers: Answers, given: Input) -> str:
    """Say in a sentence what became of the input."""
    counts = answers.outcomes
    names = ("used", "not-her2", "not-applicable", "no-result", "unreadable", "ignored")
    results = counted((name, counts[name]) for name in names if name in counts) or "none"
    broken = len(given.documents.defects) + len(given.refused)
    said = f"{len(answers.fates)} Observations ({results}); {len(answers.written)} samples"
    return f"{said}; {broken} parts of the input could not be read" if broken else said


def _occurs(answers: Answers, conditions: frozenset[FailOn]) -> bool:
    needs_review = any(one.classification.review for one in answers.written)
    is_unmapped = any(fate.outcome == "unreadable" for fate in answers.set_aside)
    return (FailOn.REVIEW in conditions and needs_review) or (
        FailOn.UNMAPPED in conditions and is_unmapped
    )

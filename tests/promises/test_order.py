"""Of several results no order of arrival makes another one win (H10)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from adapter.her2 import classify
from adapter.her2.cases import group
from adapter.her2.model import Evidence, RepeatMarker
from tests.unit.her2.builders import G, evidence, ihc, ish, overall

PERMUTATIONS = 10_000
STATED = (
    *map(ihc, ("0", "0+", "1+", "2+", "3+", "positive", "negative")),
    *G.values(),
    ish("positive"),
    ish("negative"),
    ish("equivocal"),
    overall("negative"),
    overall("positive", adjudicated=True),
)
ISSUED = (None, "2026", "2026-01-10", "2026-01-10T08:00:00Z", "2026-01-10T08:00:00Z", "2026-02-01")


def some_results(dice: random.Random) -> list[Evidence]:
    """Two to six results of one sample, several of one test, some marked as a repeat."""
    results = []
    for number in range(dice.randint(2, 6)):
        one = evidence(dice.choice(STATED), str(number), issued=dice.choice(ISSUED))
        marker = dice.choice([None, None, RepeatMarker.REPEAT, RepeatMarker.RECOUNT])
        named = (f"Observation/{dice.randrange(6)}",) if marker and dice.random() < 0.5 else ()
        results.append(replace(one, marker=marker, repeat_of=named))
    return results


def test_the_same_results_in_any_order_give_the_same_answer(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("promise", "order of arrival")
    dice = random.Random(10)
    differing, answers = 0, set()
    for number in range(PERMUTATIONS):
        if number % 20 == 0:
            results = some_results(dice)
            expected = [(case, classify(case)) for case in group(results)]
            answers.update(answer.category for _, answer in expected)
        dice.shuffle(results)
        differing += [(case, classify(case)) for case in group(results)] != expected
    record_property(
        "figure",
        f"{PERMUTATIONS:,} permutations of {PERMUTATIONS // 20} sets of results, "
        f"{len(answers)} categories among them: {differing} answers differ",
    )
    assert differing == 0
    assert len(answers) > 5, "the sets are too alike to show anything"

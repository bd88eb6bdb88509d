"""The worklist: what a person is to look at, as it stands now, and its groups. Pure.

What a laboratory wrote is shown as a shape only: words of the vocabulary stand as they are, every other word
becomes "…" and every digit "9". So no name, identifier or result can reach the worklist.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.fhir.recognise import Outcome, Recognised
from adapter.fhir.references import reference_to
from adapter.fhir.stated import stated_text
from adapter.fhir.terms import Terms
from adapter.fhir.text.narratives import is_known, narratives_of, statements
from adapter.fhir.text.nearest import (
    code_elsewhere,
    is_her2_test_elsewhere,
    known_words,
    names_other_analyte,
    nearest_words,
    nearly_her2,
)
from adapter.ports import ListedEntry, WorklistEntry, WorklistKind
from adapter.sync.planning.partners import likely_partners
from adapter.sync.planning.reconcile import Reconciled
from adapter.terminology.catalogue import Catalogue

LONGEST_PATTERN: Final = 120
"""Characters; a longer shape is cut, because it tells no more."""
GENERIC: Final = "generic-test"
IN_NARRATIVE: Final = "her2-in-narrative"
_MIGHT_BE_HER2: Final = (GENERIC, "no-her2-test")
_ABOUT_THE_TEST: Final = (*_MIGHT_BE_HER2, "test-not-understood", "several-analytes-named")
"""Reasons that are about which test it is, and not about what it states."""
_RUNS: Final = re.compile(r"[^\W_]+|\s+|[^\w\s]|_")
_PARTS: Final = re.compile(r"[^\W\d_]+|\d")
_SEVERAL_BLANKS: Final = re.compile(" +")
_SEVERAL_MASKED: Final = re.compile("…[… ]*…")
_KEPT_SIGNS: Final = frozenset("+-%<>=.,:;/()[]")


@dataclass(frozen=True)
class WorklistGroup:
    """Entries that one decision would deal with.

    `row`: eight hexadecimal digits that name the group, from what it shows and nothing else, so that it keeps
    its name as results come and go. `count`: distinct results. `example`: the first reference in order;
    `partner`: that result's, where it is one of a likely pair.
    """

    row: str
    count: int
    kind: WorklistKind
    reason: str
    system: str
    code: str
    pattern: str
    suggestion: str
    example: str
    partner: str
    first_seen: datetime
    last_seen: datetime


def worklist_entries(found: Reconciled, catalogue: Catalogue) -> list[WorklistEntry]:
    """List what of some patients' results a person is to look at; all there is about them, and no more."""
    terms = Terms.of(catalogue)
    return [
        *_not_read(found, terms),
        *_suggestions(found, terms),
        *likely_partners(found.desired),
    ]


def _not_read(found: Reconciled, terms: Terms) -> Iterable[WorklistEntry]:
    """Give the results that nobody could read, one entry each."""
    return (_entry(one, terms) for one in found.recognised if _is_listed(one, terms))


def _suggestions(found: Reconciled, terms: Terms) -> Iterable[WorklistEntry]:
    """Give the narratives that say of HER2 what no result at hand says already."""
    for patient, resource in found.narratives:
        results = [
            evidence
            for one in found.desired
            if one.case.subject == patient
            for evidence in one.case.evidence
        ]
        told = [one for text in narratives_of(resource) for one in statements(text, terms)]
        new = [one for one in told if not is_known(one, results)]
        if new:
            read = [stated_text(one.stated) for one in new if not one.stated.is_empty]
            yield WorklistEntry(
                kind=WorklistKind.NARRATIVE,
                subject=patient,
                reference=reference_to(resource),
                reason=IN_NARRATIVE,
                pattern=pattern_of((one.text for one in new), terms),
                suggestion=" · ".join(dict.fromkeys(read)),
            )


def _is_listed(one: Recognised, terms: Terms) -> bool:
    """Tell what a mapping, or the laboratory, could make readable.

    What is no HER2 result is listed only where something hints that it might be one: a laboratory's server
    holds thousands of others for each.
    """
    if one.outcome is Outcome.UNREADABLE:
        return True
    if one.outcome is not Outcome.NOT_HER2 or one.reason.code not in _MIGHT_BE_HER2:
        return False
    if any(nearly_her2(text, terms) for text in one.words):
        return True
    if any(is_her2_test_elsewhere(code, terms) for _, code in one.unknown):
        return True
    is_generic = one.reason.code == GENERIC and bool(one.unknown)
    return is_generic and not names_other_analyte(one.words, terms)


def _entry(one: Recognised, terms: Terms) -> WorklistEntry:
    system, code = _code_in_question(one)
    return WorklistEntry(
        kind=WorklistKind.NOT_READ,
        subject=one.subject if one.subject.startswith("Patient/") else "",
        reference=one.reference,
        reason=one.reason.code,
        system=system,
        code=code,
        pattern=pattern_of(one.words, terms),
        suggestion=_suggestion(one, code_elsewhere(system, code, terms) if code else "", terms),
    )


def _code_in_question(one: Recognised) -> tuple[str, str]:
    """Give the unknown code by which the result could be read: the test's or the answer's."""
    answers = one.unknown_answers
    if one.reason.code in _ABOUT_THE_TEST:
        tests = [pair for pair in one.unknown if pair not in answers]
        return tests[0] if tests else ("", "")
    return answers[0] if answers else ("", "")


def _suggestion(one: Recognised, known_code: str, terms: Terms) -> str:
    if known_code:
        return known_code
    if one.reason.code in _ABOUT_THE_TEST:
        name = next(filter(None, (nearly_her2(text, terms) for text in one.words)), "")
        return f"almost “{name}”" if name else ""
    return nearest_words(one.words, terms)


def pattern_of(said: Iterable[str], terms: Terms) -> str:
    """Give the shape of what a laboratory wrote, text by text; nothing in it is a patient's."""
    known = known_words(terms)
    return " | ".join(shape_of(text, known) for text in said)[:LONGEST_PATTERN]


def grouped(listed: Iterable[ListedEntry]) -> list[WorklistGroup]:
    """Group entries that one decision would deal with, most frequent first."""
    groups: dict[tuple[str, ...], list[ListedEntry]] = {}
    for one in listed:
        entry = one.entry
        shown = (entry.reason, entry.system, entry.code, entry.pattern, entry.suggestion)
        groups.setdefault((entry.kind.value, *shown), []).append(one)
    rows = [_group(key, members) for key, members in groups.items()]
    return sorted(rows, key=lambda row: (-row.count, row.kind, row.row))


def _group(key: tuple[str, ...], members: Sequence[ListedEntry]) -> WorklistGroup:
    first = min((one.entry for one in members), key=lambda entry: (entry.reference, entry.partner))
    return WorklistGroup(
        row=hashlib.sha256(json.dumps(key).encode()).hexdigest()[:8],
        count=len({one.entry.reference for one in members}),
        kind=first.kind,
        reason=first.reason,
        system=first.system,
        code=first.code,
        pattern=first.pattern,
        suggestion=first.suggestion,
        example=first.reference,
        partner=first.partner,
        first_seen=min(one.first_seen for one in members),
        last_seen=max(one.last_seen for one in members),
    )


def shape_of(text: str, known: frozenset[str]) -> str:
    """Reduce a text to its shape: known words, signs, and a mask for all the rest."""
    runs = _RUNS.findall(text[: 4 * LONGEST_PATTERN])
    shape = "".join(_masked_run(run, known) for run in runs)
    return _SEVERAL_MASKED.sub("…", _SEVERAL_BLANKS.sub(" ", shape)).strip()


def _masked_run(run: str, known: frozenset[str]) -> str:
    """Keep a known word or name ("her2") and a sign of the grammar; mask each part of all else."""
    if run.isspace():
        return " "
    if run.casefold() in known or run in _KEPT_SIGNS:
        return run.casefold()
    parts = _PARTS.findall(run) or [run]
    return "".join(
        "9" if part.isdigit() else part.casefold() if part.casefold() in known else "…"
        for part in parts
    )

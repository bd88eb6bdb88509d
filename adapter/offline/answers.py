"""Classify what documents hold: recognise, group, classify, and account for every Observation. Pure.

The same parts as a live pass, over a file. Nothing is fetched: a reference that leads out of the
input leads nowhere, and what is not in the input is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.fhir.bundle import Unpacked, unpack
from adapter.fhir.recognise import Outcome, Recognised, gather_evidence
from adapter.fhir.references import Graph
from adapter.fhir.strict_json import JsonObject
from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.joins import UnusedLink, unused_links
from adapter.her2.model import Case, Category, Classification, Evidence, Link, Policy
from adapter.terminology.catalogue import Catalogue

USED: Final = "used"
NO_RESULT: Final = "no-result"


@dataclass(frozen=True)
class Answer:
    """One tumour sample and what the rules say of it."""

    case: Case
    classification: Classification


@dataclass(frozen=True)
class Fate:
    """What became of one Observation: `outcome` "used" or why it was set aside, with a reason code.

    `subject`: "Patient/<id>", None where it cannot be told.
    """

    observation: str
    subject: str | None
    outcome: str
    reason: str


@dataclass(frozen=True)
class Answers:
    """Everything that documents gave.

    `fates`: one for each Observation that was delivered, in the order of the input. `unused_links`: a person's links
    that lead to results at hand and joined nothing.
    """

    unpacked: Unpacked
    graph: Graph
    recognised: tuple[Recognised, ...]
    answers: tuple[Answer, ...]
    fates: tuple[Fate, ...]
    unused_links: tuple[UnusedLink, ...] = ()

    @property
    def written(self) -> tuple[Answer, ...]:
        """The samples that have a category to show or write."""
        return tuple(one for one in self.answers if one.classification.category.is_written)

    @property
    def set_aside(self) -> tuple[Fate, ...]:
        """The Observations that no category was made from."""
        return tuple(fate for fate in self.fates if fate.outcome != USED)

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Observations by outcome; the sum is the number that was delivered."""
        return Counter(fate.outcome for fate in self.fates)


def answer(
    documents: Iterable[JsonObject],
    catalogue: Catalogue,
    policy: Policy,
    *,
    base_url: str = "",
    links: Sequence[Link] = (),
) -> Answers:
    """Recognise, group and classify what documents hold.

    Args:
        documents: FHIR R4 resources and Bundles as parsed by the strict reader; not changed.
        catalogue: the vocabulary.
        policy: the rules.
        base_url: of the server they come from; references below it are the same as relative ones.
        links: a person's, from the site's overlay; of any patients.

    """
    unpacked = unpack(documents)
    graph = unpacked.graph(base_url)
    recognised = tuple(gather_evidence(unpacked.observations, graph, catalogue))
    evidence = [one.evidence for one in recognised if one.evidence is not None]
    cases = group(evidence, links)
    answers = tuple(Answer(case, classify(case, policy)) for case in cases)
    by_result = _by_result(answers)
    fates = tuple(_fate(one, by_result) for one in recognised)
    return Answers(unpacked, graph, recognised, answers, fates, unused_links(cases, links))


def _by_result(answers: Iterable[Answer]) -> dict[str, Answer]:
    return {e.source.reference: one for one in answers for e in one.case.evidence}


def _fate(one: Recognised, by_result: Mapping[str, Answer]) -> Fate:
    subject = one.subject or None
    if one.evidence is None:
        return Fate(one.reference, subject, one.outcome.value, one.reason.code)
    found = by_result[one.reference].classification
    outcome, reason = _outcome(one, one.evidence, found)
    return Fate(one.reference, subject, outcome, reason)


def _outcome(one: Recognised, evidence: Evidence, found: Classification) -> tuple[str, str]:
    """Say what a result with evidence came to, from what its sample came to."""
    if found.category is Category.NOT_APPLICABLE:
        is_itself = one.outcome is Outcome.NOT_APPLICABLE
        return Outcome.NOT_APPLICABLE.value, one.reason.code if is_itself else found.rule.id
    if evidence.source.reference in found.used:
        return USED, ""
    if evidence.unreadable is not None:
        return Outcome.UNREADABLE.value, evidence.unreadable.code
    why = dict(found.set_aside).get(evidence.source.reference)
    code = why.code if why else found.rule.id
    is_lost = found.category is Category.NO_RESULT
    return (NO_RESULT if is_lost else Outcome.IGNORED.value), code

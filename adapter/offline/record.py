"""Derived resources from documents, without a server: to look at, or to send by somebody else's hand.

A collection says what these documents amount to. A transaction may replace what stands on a server,
so it is made only from documents that hold everything the server has for their patients, and it is
refused where they show that they do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.errors import InputError, InvalidRecord
from adapter.fhir.links import specimen_of
from adapter.fhir.record.derive import DeriveContext, derive, sources_used
from adapter.fhir.record.provenance import check_record, device, provenance, transaction_entry
from adapter.fhir.record.sources import SourceFacts, source_facts
from adapter.fhir.references import Graph, reference_to, with_references
from adapter.fhir.shapes import child, references, string
from adapter.fhir.strict_json import JsonObject
from adapter.offline.answers import Answer, Answers
from adapter.sync.planning.ownership import is_ours, marked
from adapter.sync.planning.plan import WITHDRAWN, Desired, Standing, plan
from adapter.sync.writing.bundle import BundleMaker
from adapter.terminology.systems import BASE

Facts = Mapping[str, SourceFacts]


@dataclass(frozen=True)
class Derived:
    """A Bundle of derived resources, and a sentence for each sample that has no valid record.

    `actions`: what a transaction does, by action; for a collection, how many were derived.
    """

    bundle: JsonObject
    problems: tuple[str, ...]
    actions: Mapping[str, int]


def derived_collection(answers: Answers, context: DeriveContext) -> Derived:
    """Make a collection of what documents amount to: derived Observations, Provenances, the Device.

    Args:
        answers: the documents, answered.
        context: see DeriveContext.

    Returns:
        A Bundle that is no instruction to a server: part of a patient's results must never
        overwrite what all of them gave.

    """
    facts = _facts(answers)
    resources: list[JsonObject] = []
    problems: list[str] = []
    for one in answers.written:
        try:
            resources += _observation_and_provenance(one, facts, context)
        except InvalidRecord as error:
            problems.append(f"{_name(one)}: {error}")
    if resources:
        resources.append(device(context.software_version))
    base = _base_of(answers)
    entries = [{"fullUrl": f"{base}/{reference_to(one)}", "resource": one} for one in resources]
    count = sum(one["resourceType"] == "Observation" for one in resources)
    return Derived(_bundle("collection", entries), tuple(problems), {"derived": count})


def derived_transaction(answers: Answers, context: DeriveContext) -> Derived:
    """Make the transaction that brings a server up to date, from everything it has of some patients.

    Args:
        answers: the documents, answered: our own derived Observations among them, as the server
            holds them, with their versions.
        context: see DeriveContext.

    Raises:
        InputError: when the documents cannot be all that the server has: one of our derived
            Observations has no version, or names a source that is not there.

    """
    facts = _facts(answers)
    standing = _standing(answers, facts, context)
    desired = [
        Desired(one.case, one.classification, {name: facts[name] for name in _sources(one, facts)})
        for one in answers.answers
        if one.case.subject.startswith("Patient/")
    ]
    maker = BundleMaker(context, "", "")
    entries: list[JsonObject] = []
    problems = [
        f"{_name(one)}: the patient is none of this server, so nothing can be written"
        for one in answers.written
        if not one.case.subject.startswith("Patient/")
    ]
    actions: dict[str, int] = {}
    for planned in plan(desired, standing, context):
        try:
            entries += maker.entries(planned) if planned.writes else []
        except InvalidRecord as error:
            problems.append(f"{planned.patient}: {error}")
        else:
            actions[planned.action.value] = actions.get(planned.action.value, 0) + 1
    if entries:
        entries.insert(0, transaction_entry(device(context.software_version)))
    return Derived(_bundle("transaction", entries), tuple(problems), actions)


def _observation_and_provenance(
    one: Answer, facts: Facts, context: DeriveContext
) -> list[JsonObject]:
    """Make the two resources of a sample; raises InvalidRecord where one would not be valid R4."""
    body = derive(one.case, one.classification, facts=facts, existing=None, context=context)
    body = marked(body, context.namespace)
    sources = [facts[name] for name in _sources(one, facts)]
    made = provenance(
        body, replaced=None, sources=sources, context=context, joined_by=one.case.joined_by
    )
    for resource in (body, made):
        if problems := check_record(resource):
            raise InvalidRecord(reference_to(resource), problems)
    return [body, made]


def _standing(answers: Answers, facts: Facts, context: DeriveContext) -> Standing:
    """Take our own derived Observations out of the documents, and hold the documents to them."""
    results = answers.unpacked.observations
    own = [
        _made_relative(one, answers.graph)
        for one in results
        if is_ours(one, namespace=context.namespace, policy=context.policy)
    ]
    for one in own:
        _require_whole(one, facts)
    return Standing(
        derived=own,
        statuses={reference_to(one): string(one, "status") for one in results},
        facts=facts,
    )


def _require_whole(own: JsonObject, facts: Facts) -> None:
    name = reference_to(own)
    if not string(child(own, "meta"), "versionId"):
        raise InputError(
            f"{name} has no meta.versionId, so nothing could be held against what stands on the "
            "server; give it as the server returns it",
            code="own-without-version",
        )
    if own.get("status") == WITHDRAWN:
        return
    missing = sorted(set(references(own.get("derivedFrom"))) - facts.keys())
    if missing:
        raise InputError(
            f"{name} was derived from {', '.join(missing)}, which the input does not hold: it is "
            "not complete. Without --complete nothing that stands is replaced; `sync --patient` "
            "gathers the rest itself",
            code="not-complete",
        )


def _made_relative(resource: JsonObject, graph: Graph) -> JsonObject:
    """Copy a resource with every reference in its one form, "Type/id" where it leads to one."""
    return with_references(
        resource, lambda reference: graph.normal(reference, within=resource) or reference
    )


def _facts(answers: Answers) -> dict[str, SourceFacts]:
    """Collect the facts of every result that has one known version."""
    facts = {}
    for one in answers.unpacked.observations:
        latest = answers.graph.get(reference_to(one))
        if latest is not None:
            facts[reference_to(one)] = source_facts(
                latest,
                specimen_of(latest, answers.graph),
                base_urls=_bases(answers),
                aliases=answers.unpacked.full_urls,
            )
    return facts


def _sources(one: Answer, facts: Facts) -> list[str]:
    return [name for name in sources_used(one.case, one.classification) if name in facts]


def _bases(answers: Answers) -> tuple[str, ...]:
    """Give the servers that the documents' fullUrls stand on."""
    bases = {
        url.removesuffix(f"/{name}")
        for url, name in answers.unpacked.full_urls.items()
        if url.endswith(f"/{name}")
    }
    return tuple(sorted(bases))


def _base_of(answers: Answers) -> str:
    """Choose the base for fullUrls: the one server of the documents, else our own name space."""
    bases = _bases(answers)
    return bases[0] if len(bases) == 1 else BASE


def _bundle(kind: str, entries: list[JsonObject]) -> JsonObject:
    """Make a Bundle; FHIR knows no empty list, so one without entries has none."""
    bundle: JsonObject = {"resourceType": "Bundle", "type": kind}
    return {**bundle, "entry": entries} if entries else bundle


def _name(one: Answer) -> str:
    return f"{one.case.subject}, {one.case.key}"

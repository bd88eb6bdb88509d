"""`$her2-derive`: the bytes of a request in, the bytes of a Bundle out, or a refusal. Pure.

The answer is that of the command `derive`, and what the command tells a person on stderr stands in it
too: a collection ends in an OperationOutcome where a part of the input gave no result that it should
have given. A transaction can hold none, so there the counts are all that is said. Nothing that is said
here quotes the input; a place is named by its FHIRPath.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from adapter.errors import InputError
from adapter.fhir.record.derive import DeriveContext
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import objects, string
from adapter.fhir.strict_json import JsonObject, canonical, read_json, write_json
from adapter.her2.model import Link
from adapter.offline.answers import NO_RESULT, Answers, answer
from adapter.offline.reading import Defect, defects_inside
from adapter.offline.record import Derived, derived_collection, derived_transaction
from adapter.terminology.catalogue import Catalogue

MOST_PLACES: Final = 100
"""An OperationOutcome names so many parts of the input at most, and says how many more there are."""

_SAFE: Final = {
    "own-without-version": "a derived Observation has no meta.versionId; give it as the server returns it",
    "not-complete": "the Bundle does not hold everything: it has a next page, an entry cannot be read, or a derived "
    "Observation names a source that is not there; without complete=true it can be answered",
}
"""Code → what is said instead of the sentence of the command, which names resources."""


@dataclass(frozen=True)
class Rules:
    """What decides: the vocabulary, the joins of the site, and the policy and moment of the record."""

    catalogue: Catalogue
    context: DeriveContext
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class DerivedBundle:
    """The answer to one request.

    `content`: the Bundle as FHIR JSON. `counts`: Observations by what became of them, and `results` (their sum),
    `derived` or what a transaction does by action, `defects` (entries that hold no resource), `left-out` (samples
    without a valid record).
    """

    content: bytes
    counts: Mapping[str, int]


def derive_bundle(body: bytes, rules: Rules, *, complete: bool | None = None) -> DerivedBundle:
    """Answer one request.

    Args:
        body: a Bundle as FHIR R4 JSON, or Parameters with the parameters `bundle` and `complete`.
        rules: what decides.
        complete: whether the Bundle holds everything that the server has of its patients, as said beside the body;
            None where nothing was.

    Raises:
        InputError: with a sentence that quotes nothing, and a code: those of `read_json`, or empty, not-a-bundle,
            entries-no-list, parameters-malformed, unknown-parameter, parameter-twice, no-bundle, not-complete,
            own-without-version.

    """
    bundle, is_complete = _asked(body, complete)
    defects = tuple(defects_inside(bundle))
    if is_complete and (defects or _has_next_page(bundle)):
        raise InputError(_SAFE["not-complete"], code="not-complete")
    answers = answer([bundle], rules.catalogue, rules.context.policy, links=rules.links)
    derived = _derived(answers, rules.context, is_complete=is_complete)
    counts = _counts(answers, derived, defects)
    if is_complete:
        return DerivedBundle(write_json(derived.bundle), counts)
    issues = [*_issues(answers, defects), *([_LEFT_OUT] * bool(derived.problems))]
    return DerivedBundle(write_json(_with_outcome(derived.bundle, issues)), counts)


def _asked(body: bytes, complete: bool | None) -> tuple[JsonObject, bool]:
    """Take the Bundle out of a body, and whether it is said to be complete."""
    if not body.strip():
        raise InputError("the body is empty", code="empty")
    resource = read_json(body)
    if resource.get("resourceType") == "Parameters":
        resource, complete = _from_parameters(resource, complete)
    if resource.get("resourceType") != "Bundle":
        raise InputError("the resource is no Bundle", code="not-a-bundle")
    if not isinstance(resource.get("entry", []), list):
        raise InputError("Bundle.entry is no list", code="entries-no-list")
    return resource, bool(complete)


def _from_parameters(
    parameters: JsonObject, complete: bool | None
) -> tuple[JsonObject, bool | None]:
    given = parameters.get("parameter", [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise InputError("Parameters.parameter is no list of objects", code="parameters-malformed")
    names = [string(one, "name") for one in given]
    if set(names) - {"bundle", "complete"}:
        raise InputError("knows the parameters bundle and complete", code="unknown-parameter")
    if len(set(names)) != len(names) or ("complete" in names and complete is not None):
        raise InputError("a parameter is given twice", code="parameter-twice")
    values = dict(zip(names, given, strict=True))
    bundle = values.get("bundle", {}).get("resource")
    if not isinstance(bundle, dict):
        raise InputError("the parameter bundle holds no resource", code="no-bundle")
    if "complete" in values:
        complete = values["complete"].get("valueBoolean")
        if not isinstance(complete, bool):
            raise InputError("the parameter complete is no boolean", code="parameters-malformed")
    return bundle, complete


def _has_next_page(bundle: JsonObject) -> bool:
    return any(string(link, "relation") == "next" for link in objects(bundle.get("link")))


def _derived(answers: Answers, context: DeriveContext, *, is_complete: bool) -> Derived:
    if not is_complete:
        return derived_collection(answers, context)
    try:
        return derived_transaction(answers, context)
    except InputError as error:
        # Not chained: its sentence names resources, and their ids may be a patient's.
        raise InputError(_SAFE[error.code], code=error.code) from None


def _counts(answers: Answers, derived: Derived, defects: Sequence[Defect]) -> dict[str, int]:
    counts = {"results": len(answers.fates), **answers.outcomes, **derived.actions}
    further = {"defects": len(defects), "left-out": len(derived.problems)}
    return counts | {name: number for name, number in further.items() if number}


def _issues(answers: Answers, defects: Iterable[Defect]) -> Iterator[JsonObject]:
    """Tell of the entries that hold no resource, and of results that were not read or came to nothing."""
    for defect in defects:
        yield _issue("error", "structure", defect.sentence, ("no-resource", [defect.place]))
    places: dict[str, list[str]] = {}
    for resource, place in zip(answers.unpacked.resources, answers.unpacked.places, strict=True):
        places.setdefault(reference_to(resource), []).append(place)
    told = {"unreadable": "a HER2 result was not read", NO_RESULT: "a sample came to no result"}
    for fate in answers.fates:
        if fate.outcome in told:
            found = (fate.reason, places[fate.observation])
            yield _issue("warning", "processing", told[fate.outcome], found)


def _issue(severity: str, kind: str, sentence: str, found: tuple[str, list[str]]) -> JsonObject:
    code, places = found
    return {
        "severity": severity,
        "code": kind,
        "details": {"text": code},
        "diagnostics": sentence,
        **({"expression": places} if places else {}),
    }


_LEFT_OUT: Final = _issue(
    "error", "exception", "a sample has no valid record and was left out", ("left-out", [])
)


def _with_outcome(bundle: JsonObject, issues: list[JsonObject]) -> JsonObject:
    """Put an OperationOutcome behind the entries of a collection, where there is anything to tell."""
    if not issues:
        return bundle
    more = len(issues) - MOST_PLACES
    if more > 0:
        rest = Counter(one["severity"] for one in issues[MOST_PLACES:])
        sentence = f"{more} more, of them {rest['error']} errors"
        issues = [
            *issues[:MOST_PLACES],
            _issue("warning", "incomplete", sentence, ("further-issues", [])),
        ]
    outcome = {"resourceType": "OperationOutcome", "issue": issues}
    # It has no identity, and R4 asks each entry of a collection for one: that of its content will do.
    identity = uuid5(NAMESPACE_URL, canonical(outcome).decode())
    entry = {"fullUrl": f"urn:uuid:{identity}", "resource": outcome}
    return {**bundle, "entry": [*bundle.get("entry", []), entry]}

"""Patients' results from a server, to be answered and not written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adapter.errors import InputError
from adapter.fhir.references import reference_to
from adapter.fhir.strict_json import JsonObject
from adapter.offline.answers import Answers, answer
from adapter.sync.cycle import Parts
from adapter.sync.options import ReadLimits
from adapter.sync.reading.gather import Gatherer
from adapter.sync.reading.pool import Gathered
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.searches import Searches
from adapter.sync.reading.wanted import Wanted
from adapter.sync.references import patient_of


def answers_around(parts: Parts, reference: str, limits: ReadLimits) -> Answers:
    """Answer everything that a server holds about the patient of one Observation.

    Args:
        parts: a whole adapter; its store is written to only about sources that could not be read.
        reference: "Observation/<id>", a laboratory's or a derived one.
        limits: those of the passes, so that the same results are found.

    Raises:
        InputError: when there is no such Observation, or it names no patient of this server.
        ServerError: as the port says.

    """
    source = parts.source
    found = source.read(reference) or parts.target.read(reference)
    if found is None:
        raise InputError(f"{reference} is not on {source.base_url}", code="not-found")
    patient = patient_of(found, source.base_url)
    if patient is None:
        raise InputError(f"{reference} names no patient of this server", code="no-patient")
    searches = Searches.of(parts, limits)
    Proving(searches).prepare([patient])
    gatherer = Gatherer(searches, parts.store, parts.clock, limits)
    documents = [found]
    for gathered in gatherer.patients([patient]):
        if gathered.unread and patient in gathered.patients:
            # Without all that there is, the answer could be another than the passes will give.
            raise InputError(f"{patient}: {gathered.unread}", code="patient-not-readable")
        documents += documents_of(gathered)
    by_name = {reference_to(one): one for one in documents}
    return answer(
        by_name.values(),
        parts.catalogue,
        parts.context.policy,
        base_url=source.base_url,
        links=parts.links,
    )


def gathered_patients(
    parts: Parts, wanted: Wanted, limits: ReadLimits, *, patients: int
) -> Iterator[Gathered]:
    """Gather the first patients that a server's searches show, in parts of some patients each.

    Args:
        parts: a whole adapter; its store is written to only about sources that could not be read.
        wanted: what is searched for.
        limits: those of the passes, so that the same results are found.
        patients: at most so many.

    Raises:
        ServerError: as the port says.

    """
    searches = replace(Searches.of(parts, limits), wanted=wanted)
    Proving(searches).prepare()
    found: dict[str, None] = {}
    if searches.by_patient:
        found.update(dict.fromkeys(parts.listed.read().patients if parts.listed else ()))
    for page in () if searches.by_patient else searches.results(alone=True):
        subjects = (patient_of(one, parts.source.base_url) for one in page.matches)
        found.update(dict.fromkeys(one for one in subjects if one))
        if len(found) >= patients:
            break
    gatherer = Gatherer(searches, parts.store, parts.clock, limits)
    yield from gatherer.patients(list(found)[:patients])


def documents_of(gathered: Gathered) -> list[JsonObject]:
    """Give everything that was gathered, our own derived Observations included."""
    return [*gathered.results, *gathered.related, *gathered.derived]

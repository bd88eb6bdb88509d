"""The same answers from a server, for one patient: read, decided, not written."""

from __future__ import annotations

from adapter.errors import InputError
from adapter.fhir.references import reference_to
from adapter.offline.answers import Answers, answer
from adapter.sync.cycle import Parts
from adapter.sync.gather import Gatherer
from adapter.sync.options import ReadLimits
from adapter.sync.references import patient_of
from adapter.sync.searches import Searches


def answers_around(parts: Parts, reference: str) -> Answers:
    """Answer everything that a server holds about the patient of one Observation.

    Args:
        parts: a whole adapter; its store is written to only about sources that could not be read.
        reference: "Observation/<id>", a laboratory's or a derived one.

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
    searches = Searches(source, parts.target, parts.catalogue.search_codes())
    searches.prepare()
    gatherer = Gatherer(searches, parts.store, parts.clock, ReadLimits())
    documents = [found]
    for gathered in gatherer.patients([patient]):
        documents += [*gathered.results, *gathered.related, *gathered.derived]
    by_name = {reference_to(one): one for one in documents}
    return answer(
        by_name.values(),
        parts.catalogue,
        parts.context.policy,
        base_url=source.base_url,
        links=parts.links,
    )

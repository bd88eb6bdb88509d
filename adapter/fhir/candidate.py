"""Which Observations are looked at as HER2 results at all: told by the names of their tests alone.

A search by name, by bare code or by category brings other tests too. What is no candidate is left
where it is: it is neither counted nor kept. What is one gets an outcome and a reason, even where
that is "not HER2".
"""

from __future__ import annotations

from collections.abc import Iterator

from adapter.fhir.contents import test_of
from adapter.fhir.shapes import codings, objects, string, texts
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms
from adapter.terminology.catalogue import SEARCHED_ROLES
from adapter.terminology.vocabulary import TestRole


def is_candidate(observation: JsonObject, terms: Terms) -> bool:
    """Tell whether an Observation may be a HER2 result.

    It is one when its code or a component's is a HER2 code of the mappings, or is called HER2 by
    its text or a display, or when the gene studied makes a general test one of HER2. Values, notes
    and narratives say nothing here: HER2 in them is no result.
    """
    concepts = _concepts(observation.get("code"))
    for component in objects(observation.get("component")):
        concepts += _concepts(component.get("code"))
    roles = {role for concept in concepts for role in _roles(concept, terms)}
    if not roles.isdisjoint(SEARCHED_ROLES):
        return True
    if any(terms.test_name(text)[1] for concept in concepts for text in texts(concept)):
        return True
    return TestRole.GENE_STUDIED in roles and test_of(observation, terms).assay is not None


def _concepts(code: object) -> list[JsonObject]:
    return objects(code if isinstance(code, list) else [code])


def _roles(concept: JsonObject, terms: Terms) -> Iterator[TestRole]:
    for coding in codings(concept):
        found = terms.catalogue.test_code(string(coding, "system"), string(coding, "code"))
        if found is not None:
            yield found.role

"""What is searched for: the codes and names of HER2 tests, and how a result is told from others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from adapter.fhir.candidate import is_candidate
from adapter.fhir.terms import Terms
from adapter.fhir.text.narratives import tells_of_her2
from adapter.ports import JsonObject
from adapter.sync.reading.search_params import escaped, token
from adapter.terminology.catalogue import Catalogue


@dataclass(frozen=True)
class Wanted:
    """Values to search by, escaped, and the test that every result found must pass.

    `tokens`: the code alone where the codes of its system have a check digit (LOINC, SNOMED CT),
    because such a code is found nowhere else and no list of their names is complete; else
    "system|code" for each known name of the system, since its codes may be as short as "1".
    `codes`: "system|code" for every code and name, for a server that does not know a code alone.
    `names`: how the name of a test may begin. `documents`: tokens of reports and narratives, and
    `tells_of_her2`: whether the text of one names HER2.
    """

    tokens: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    is_candidate: Callable[[JsonObject], bool] = lambda _: False
    tells_of_her2: Callable[[JsonObject], bool] = lambda _: False

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, *catalogues: Catalogue) -> Wanted:
        """Take everything from a vocabulary, or from several at once; kept for the next who asks."""
        terms = [Terms.of(catalogue) for catalogue in catalogues]
        tested = [
            (catalogue.names, system, code)
            for catalogue in catalogues
            for system, code in catalogue.search_codes()
        ]
        codes = (
            token(name, code) for names, system, code in tested for name in names.names_of(system)
        )
        tokens = (
            token(name, code)
            for names, system, code in tested
            for name in ([""] if names.form(system) else names.names_of(system))
        )
        beginnings = (name for catalogue in catalogues for name in catalogue.search_names())
        return cls(
            tokens=tuple(dict.fromkeys(tokens)),
            codes=tuple(dict.fromkeys(codes)),
            names=tuple(dict.fromkeys(map(escaped, beginnings))),
            documents=tuple(
                dict.fromkeys(
                    token("" if catalogue.names.form(system) else name, code)
                    for catalogue in catalogues
                    for system, code in catalogue.document_codes()
                    for name in catalogue.names.names_of(system)
                )
            ),
            tells_of_her2=lambda resource: any(tells_of_her2(resource, one) for one in terms),
            is_candidate=lambda observation: any(is_candidate(observation, one) for one in terms),
        )

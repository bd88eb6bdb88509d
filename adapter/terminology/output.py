"""The codes of the record: what the derived Observation and its Provenance are written with.

Our own codes come from our CodeSystems, the others from the output maps in `mappings/`, so that no
code of LOINC, SNOMED CT, UCUM or HL7 stands in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from adapter.her2.model import AscoCapStatus, Category
from adapter.terminology.systems import (
    ADAPTER_SYSTEM,
    ANSWER_SYSTEM,
    ASCO_CAP_SYSTEM,
    CATEGORY_SYSTEM,
    COMPONENT_SYSTEM,
    OUTPUT_CATEGORY_LOINC_MAP,
    OUTPUT_CATEGORY_SNOMED_MAP,
    OUTPUT_INTERPRETATION_MAP,
    OUTPUT_RECORD_MAP,
    OUTPUT_UNITS_MAP,
)
from adapter.terminology.vocabulary import Coding


@dataclass(frozen=True)
class Unit:
    """A unit to write into a Quantity: the words shown, and its code."""

    text: str
    system: str
    code: str


@dataclass(frozen=True)
class OutputCodes:
    """Every coding that the derived Observation and its Provenance need (docs/output.md).

    `concepts`: (one of our systems, code) → Coding. `outside`: (canonical url of an output map, our
    code) → Coding of another system. `unit_texts`: component code → the words shown as unit.
    """

    concepts: Mapping[tuple[str, str], Coding]
    outside: Mapping[tuple[str, str], Coding]
    unit_texts: Mapping[str, str]

    @property
    def observation_code(self) -> tuple[Coding, ...]:
        """Observation.code: the LOINC interpretation code, then our own."""
        return self._outside(OUTPUT_RECORD_MAP, "her2-category"), self._adapter("her2-category")

    @property
    def laboratory_category(self) -> Coding:
        """Observation.category, HL7's "laboratory"."""
        return self._outside(OUTPUT_RECORD_MAP, "laboratory")

    @property
    def derived_category(self) -> Coding:
        """Observation.category, our "derived"."""
        return self._adapter("derived")

    @property
    def derived_tag(self) -> Coding:
        """Observation.meta.tag: the same code as the category, and the only tag there is."""
        return self._adapter("derived")

    @property
    def method(self) -> Coding:
        """Observation.method: our "rule-based"."""
        return self._adapter("rule-based")

    @property
    def unit_system(self) -> str:
        """The system of every unit that we write."""
        return self._outside(OUTPUT_UNITS_MAP, "her2-copies-used").system

    @property
    def activity_create(self) -> Coding:
        """Provenance.activity of the first version."""
        return self._outside(OUTPUT_RECORD_MAP, "create")

    @property
    def activity_update(self) -> Coding:
        """Provenance.activity of a later version."""
        return self._outside(OUTPUT_RECORD_MAP, "update")

    @property
    def activity_nullify(self) -> Coding:
        """Provenance.activity of a withdrawal."""
        return self._outside(OUTPUT_RECORD_MAP, "withdraw")

    @property
    def assembler(self) -> Coding:
        """Provenance.agent.type: the software put the result together."""
        return self._outside(OUTPUT_RECORD_MAP, "assembler")

    @property
    def joined_by_link(self) -> Coding:
        """Provenance.reason: a person joined the sample; none of HL7's purposes of use says so."""
        return self._adapter("joined-by-link")

    @property
    def entity_role(self) -> str:
        """Provenance.entity.role (a code, no Coding): what was read is a source."""
        return self._outside(OUTPUT_RECORD_MAP, "source").code

    @property
    def component_codes(self) -> tuple[Coding, ...]:
        """All codes of Observation.component, in the order of the code system."""
        return tuple(c for (system, _), c in self.concepts.items() if system == COMPONENT_SYSTEM)

    def category_codings(self, category: Category, snomed: bool = False) -> tuple[Coding, ...]:
        """Give the codings of the value: our own first, then those that mean exactly the same.

        Args:
            category: any category, also the two that are never written.
            snomed: the setting `output.snomed`; SNOMED CT's low and ultralow are placed under
                "amplification detected",
                so they are written only when asked for.

        Source: rules, Coded output.

        """
        maps = [OUTPUT_CATEGORY_LOINC_MAP, *([OUTPUT_CATEGORY_SNOMED_MAP] if snomed else [])]
        others = (self.outside.get((url, category.value)) for url in maps)
        return self._own(CATEGORY_SYSTEM, category.value), *(c for c in others if c is not None)

    @cached_property
    def codes_of_each_category(self) -> Mapping[Category, frozenset[tuple[str, str]]]:
        """System and code of every coding of every category, also those that are written only when asked for."""
        return {
            one: frozenset((c.system, c.code) for c in self.category_codings(one, snomed=True))
            for one in Category
        }

    @cached_property
    def interpretation_systems(self) -> frozenset[str]:
        """Give the systems of Observation.interpretation."""
        return frozenset(self.interpretation(one).system for one in AscoCapStatus)

    def interpretation(self, asco_cap: AscoCapStatus) -> Coding:
        """Give Observation.interpretation: POS, NEG, E or IND for the ASCO/CAP status."""
        return self._outside(OUTPUT_INTERPRETATION_MAP, asco_cap.value)

    def asco_cap_code(self, asco_cap: AscoCapStatus) -> Coding:
        """Give our code of the ASCO/CAP status; its display is the interpretation's text."""
        return self._own(ASCO_CAP_SYSTEM, asco_cap.value)

    def component_code(self, name: str) -> Coding:
        """Give a component's code, e.g. "ratio-used"; KeyError for one that the record has not."""
        return self._own(COMPONENT_SYSTEM, name)

    def answer_code(self, meaning: str) -> Coding:
        """Give our code of an answer, e.g. "2+", "group-4"; KeyError for an unknown meaning."""
        return self._own(ANSWER_SYSTEM, meaning)

    def unit(self, name: str) -> Unit | None:
        """Give the unit of a component that is a number, None for the others; KeyError if unknown."""
        component = self.component_code(name)
        coded = self.outside.get((OUTPUT_UNITS_MAP, component.code))
        if coded is None:
            return None
        return Unit(self.unit_texts[component.code], coded.system, coded.code)

    def _adapter(self, code: str) -> Coding:
        return self._own(ADAPTER_SYSTEM, code)

    def _own(self, system: str, code: str) -> Coding:
        return self.concepts[system, code]

    def _outside(self, map_url: str, code: str) -> Coding:
        return self.outside[map_url, code]

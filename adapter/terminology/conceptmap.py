"""Rows of FHIR R4 ConceptMaps, and looking one up by (system, code).

Pure: takes parsed JSON, gives frozen rows. A code is never found without its system, in another
system, by its display, by a prefix or by subsumption: SNOMED CT places HER2-ultralow under "gene
amplification detected", so that any match but the exact one would turn a negative into a positive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.terminology.vocabulary import MapRow

JsonObject = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One target of one element, and where it stands.

    `path`: JSON path of the target in its file. `target_system`, `target_display`: as written.
    `products`: property uri → value of `target.product`, what else the row says (the reason of an
    exclusion). `source`: who says so.
    """

    row: MapRow
    path: str
    target_system: str
    target_display: str
    equivalence: str
    source: str
    products: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The (system, code) that this row maps."""
        return self.row.system, self.row.code

    def product(self, property_url: str) -> str:
        """Give the value that the row has for this property, "" when it has none."""
        return next((value for name, value in self.products if name == property_url), "")


def entries(concept_map: JsonObject) -> Iterator[Entry]:
    """Yield every row of a ConceptMap, in the order written.

    Args:
        concept_map: a FHIR R4 ConceptMap as parsed JSON; not changed. Missing parts are read as "".

    Source: FHIR R4, ConceptMap.group.element.target.

    """
    url = str(concept_map.get("url", ""))
    for g, group in enumerate(_objects(concept_map.get("group"))):
        for e, element in enumerate(_objects(group.get("element"))):
            for t, target in enumerate(_objects(element.get("target"))):
                yield Entry(
                    row=MapRow(
                        map=url,
                        system=str(group.get("source", "")),
                        code=str(element.get("code", "")),
                        meaning=str(target.get("code", "")),
                        display=str(element.get("display", "")),
                    ),
                    path=f"group[{g}].element[{e}].target[{t}]",
                    target_system=str(group.get("target", "")),
                    target_display=str(target.get("display", "")),
                    equivalence=str(target.get("equivalence", "")),
                    source=str(target.get("comment", "")),
                    products=tuple(
                        (str(p.get("property", "")), str(p.get("value", "")))
                        for p in _objects(target.get("product"))
                    ),
                )


def index(layers: Iterable[Iterable[Entry]]) -> dict[tuple[str, str], Entry]:
    """Index rows by (system, code); a row of a later layer (an overlay) replaces an earlier one.

    Within a layer rows are expected to be free of contradictions (rules.py refuses them).
    """
    found: dict[tuple[str, str], Entry] = {}
    for layer in layers:
        found.update({entry.key: entry for entry in layer})
    return found


def _objects(value: object) -> list[JsonObject]:
    """Keep the JSON objects of a list; what else stands there is for check.py to report."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

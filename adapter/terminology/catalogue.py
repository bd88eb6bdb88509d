"""The vocabulary as it is asked: what a code means under which test.

Reads the shipped mappings and a site's overlays once, refuses an invalid set with all its defects,
and then only looks up. It never guesses: a code that no row holds in its own system gives None. No
network, no fhir.resources: it must load at every start of the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from weakref import WeakValueDictionary

from adapter.errors import MappingError
from adapter.her2.model import TumourSite
from adapter.terminology import systems
from adapter.terminology.code_systems import CodeSystemNames, other_scheme, read_names
from adapter.terminology.conceptmap import Entry, entries, index
from adapter.terminology.layers import Layer, defects_of, read_layers
from adapter.terminology.mapping_files import MappingFile, objects
from adapter.terminology.output import OutputCodes
from adapter.terminology.search_names import search_names
from adapter.terminology.vocabulary import (
    AnswerKind,
    Coding,
    MapRow,
    TestCode,
    TestRole,
    Word,
    WordKind,
)
from adapter.terminology.words import property_value, words

Index = Mapping[tuple[str, str], Entry]

_ANSWER_TARGETS = {
    AnswerKind.IHC: systems.IHC_ANSWERS,
    AnswerKind.ISH: systems.ISH_ANSWERS,
    AnswerKind.OVERALL: systems.OVERALL_ANSWERS,
}

SEARCHED_ROLES = (
    TestRole.IHC,
    TestRole.IHC_UNIFORM_INTENSE_PERCENT,
    TestRole.ISH,
    TestRole.RATIO,
    TestRole.HER2_COPIES,
    TestRole.CEP17_COPIES,
    TestRole.OVERALL,
    TestRole.PANEL,
)
"""Roles whose codes speak of HER2 by themselves. Cells counted, generic and excluded codes bring
nothing but noise.
"""

_ICD_CODE = re.compile(r"([A-Z][0-9][0-9A-Z])\.?[0-9A-Z]{0,4}-?[+*!]?")
"""An ICD-10 code with its three-character category; the point may be missing (C509)."""

"""What a FHIR search value needs a backslash before (R4, search, Escaping Search Parameters)."""


@dataclass(frozen=True)
class CatalogueFile:
    """One file of the set, for a list: where it stands, what it is, how many rows it has.

    `layer`: "shipped", or the name of the site.
    """

    layer: str
    name: str
    kind: str
    url: str
    version: str
    title: str
    rows: int


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The whole vocabulary, immutable; get one from `load_catalogue`.

    Only the very same object is equal, so that what is made from one can be kept without hashing all of it.

    `version`: semantic version of the shipped set and eight digits of its content's hash,
    "1.0.0+1a2b3c4d". `overlay_versions`: the same for each overlay. Both go into Provenance.policy,
    so neither holds a blank. `overlay_names`: what people call each overlay.
    """

    version: str
    overlay_versions: tuple[str, ...]
    overlay_names: tuple[str, ...]
    files: tuple[CatalogueFile, ...]
    output: OutputCodes
    names: CodeSystemNames
    maps: Mapping[str, Index]
    vocabulary: tuple[Word, ...]

    def canonical_system(self, system: str) -> str:
        """Name a code system by its canonical url; an unknown name only loses its outer blanks."""
        return self.names.canonical(system)

    def test_code(self, system: str, code: str) -> TestCode | None:
        """Say what an Observation or component with this code reports; None without a row."""
        entry = self._find(systems.TEST_ROLES, system, code)
        if entry is None:
            return None
        return TestCode(
            role=TestRole(entry.row.meaning),
            row=entry.row,
            reason=entry.product(systems.EXCLUSION_SYSTEM),
        )

    def method(self, system: str, code: str) -> TestRole | None:
        """Tell IHC from ISH by a method or procedure code; it is never a result by itself."""
        entry = self._find(systems.TEST_METHODS, system, code)
        return None if entry is None else TestRole(entry.row.meaning)

    def answer(self, kind: AnswerKind, system: str, code: str) -> MapRow | None:
        """Give the row of an answer under an IHC, ISH or overall test; None when it is unknown.

        Its meaning is an IhcScore.value, a range of two, a ResultWord, "group-1" … "group-5" or an
        Answer.
        """
        entry = self._find(_ANSWER_TARGETS[kind], system, code)
        return None if entry is None else entry.row

    def is_her2_gene(self, system: str, code: str) -> bool:
        """Tell whether this names the gene ERBB2, as the value of a gene-studied component."""
        return self._find(systems.GENES, system, code) is not None

    def site_row(self, system: str, code: str) -> MapRow | None:
        """Give the row of a diagnosis or body site; None when it is unknown.

        Its meaning is breast, in-situ (of the breast), secondary, organ or other. An ICD-10 code is found by
        itself, by its three-character category, or by the block that holds the category; in small letters too.
        """
        entry = self._find(systems.TUMOUR_SITES, system, code)
        if entry is not None:
            return entry.row
        icd = _ICD_CODE.fullmatch(code.strip().upper())
        if icd is None:
            return None
        entry = self._find(systems.TUMOUR_SITES, system, icd[1])
        return entry.row if entry else self._block_row(system, icd[1])

    def tumour_site(self, system: str, code: str) -> TumourSite | None:
        """Give BREAST or OTHER; None for an unknown code and one that names no primary site.

        OTHER also for carcinoma in situ of the breast, which is no invasive cancer: ask `site_row`
        where an invasive breast cancer may be named beside it.
        """
        row = self.site_row(system, code)
        meanings = {
            "breast": TumourSite.BREAST,
            "other": TumourSite.OTHER,
            "in-situ": TumourSite.OTHER,
        }
        return meanings.get(row.meaning) if row else None

    def side(self, system: str, code: str) -> Literal["left", "right"] | None:
        """Give the side that a body site or a laterality names; None when it names none."""
        entry = self._find(systems.SIDES, system, code)
        if entry is None:
            return None
        return "left" if entry.row.meaning == "left" else "right"

    def words(self) -> tuple[Word, ...]:
        """Give all phrases of the vocabulary, longest first."""
        return self.vocabulary

    def words_of(self, kind: WordKind) -> tuple[Word, ...]:
        """Give the phrases of one kind, longest first."""
        return tuple(word for word in self.vocabulary if word.kind is kind)

    def search_codes(self) -> tuple[tuple[str, str], ...]:
        """Give (system, code) of every test code worth searching a server for, sorted."""
        return tuple(
            sorted(
                pair
                for pair, entry in self.maps.get(systems.TEST_ROLES, {}).items()
                if TestRole(entry.row.meaning) in SEARCHED_ROLES
            )
        )

    def document_codes(self) -> tuple[tuple[str, str], ...]:
        """Give (system, code) of reports and narratives, whose text may tell of HER2; sorted."""
        return tuple(
            sorted(
                pair
                for pair, entry in self.maps.get(systems.TEST_ROLES, {}).items()
                if TestRole(entry.row.meaning) is TestRole.DOCUMENT
            )
        )

    def search_names(self) -> tuple[str, ...]:
        """Give the beginnings of names under which a test without a known code may be found."""
        return search_names(self.vocabulary)

    def _find(self, target: str, system: str, code: str) -> Entry | None:
        rows, name = self.maps.get(target, {}), self.canonical_system(system)
        return rows.get((name, code.strip())) or rows.get((other_scheme(name), code.strip()))

    def _block_row(self, system: str, category: str) -> MapRow | None:
        """Find the block ("C00-C14") of this system that holds a three-character category."""
        name = self.canonical_system(system)
        named = (name, other_scheme(name))
        for (row_system, code), entry in self.maps.get(systems.TUMOUR_SITES, {}).items():
            first, dash, last = code.partition("-")
            if dash and row_system in named and first <= category <= last:
                return entry.row
        return None


_in_use: WeakValueDictionary[tuple[tuple[str, ...], ...], Catalogue] = WeakValueDictionary()
"""By what the layers are called and what their files say."""


def load_catalogue(folder: Path | None = None, overlays: Sequence[Path] = ()) -> Catalogue:
    """Read the mappings and refuse them whole if anything is wrong with them.

    The files are read each time; while a catalogue is in use, files that say the same give that one. To check and
    index them takes four times as long.

    Args:
        folder: the mappings; None for those that came with the adapter.
        overlays: folders of a site's own maps; a later one wins over an earlier one, all win over
            the shipped rows, but none can turn an excluded test into a result (rules.py).

    Raises:
        MappingError: with every defect, as "file: JSON path: what is wrong".

    """
    layers, defects = read_layers(folder, overlays)
    said = tuple(
        (layer.name, layer.digest, *(file.name for file in layer.files), *layer.tables)
        for layer in layers
    )
    if not defects and (in_use := _in_use.get(said)):
        return in_use
    defects += defects_of(layers)
    if defects:
        raise MappingError(defects)
    return _in_use.setdefault(said, _catalogue(layers))


def _catalogue(layers: Sequence[Layer]) -> Catalogue:
    files = [file for layer in layers for file in layer.files]
    version, *overlay_versions = (layer.version for layer in layers)
    names = read_names(files)
    for layer in layers:
        names = names.and_also(layer.site.aliases)
    return Catalogue(
        version=version,
        overlay_versions=tuple(overlay_versions),
        overlay_names=tuple(layer.name for layer in layers[1:]),
        files=tuple(listed for layer in layers for listed in _listed(layer)),
        output=_output_codes(files),
        names=names,
        maps=_maps([layer.files for layer in layers]),
        vocabulary=words(files),
    )


def _maps(layers: Sequence[Sequence[MappingFile]]) -> dict[str, Index]:
    """Index the rows of all input maps by the value set that they map to."""
    by_target: dict[str, list[list[Entry]]] = {}
    for layer in layers:
        of_layer: dict[str, list[Entry]] = {}
        for file in layer:
            if file.kind == "ConceptMap":
                of_layer.setdefault(str(file.resource.get("targetUri", "")), []).extend(
                    entries(file.resource)
                )
        for target, rows in of_layer.items():
            by_target.setdefault(target, []).append(rows)
    return {target: index(layers_of) for target, layers_of in by_target.items()}


def _output_codes(files: Sequence[MappingFile]) -> OutputCodes:
    concepts: dict[tuple[str, str], Coding] = {}
    outside: dict[tuple[str, str], Coding] = {}
    unit_texts: dict[str, str] = {}
    for file in files:
        if file.kind == "CodeSystem":
            for concept in objects(file.resource.get("concept")):
                code = str(concept["code"])
                concepts[file.url, code] = Coding(file.url, code, str(concept.get("display", "")))
                unit = property_value(concept, "unit")
                if unit and file.url == systems.COMPONENT_SYSTEM:
                    unit_texts[code] = unit
        elif file.kind == "ConceptMap" and file.url in systems.OUTPUT_MAPS:
            for e in entries(file.resource):
                outside[file.url, e.row.code] = Coding(
                    e.target_system, e.row.meaning, e.target_display
                )
    return OutputCodes(concepts=concepts, outside=outside, unit_texts=unit_texts)


def _listed(layer: Layer) -> Iterator[CatalogueFile]:
    for file in layer.files:
        yield CatalogueFile(
            layer=layer.name,
            name=file.name,
            kind=file.kind,
            url=file.url,
            version=file.metadata("version"),
            title=file.metadata("title"),
            rows=_row_count(file),
        )
    for name, table in layer.tables.items():
        rows = sum(len(part) for part in table.values() if isinstance(part, dict | list))
        yield CatalogueFile(
            layer=layer.name,
            name=name,
            kind="TOML",
            url="",
            version=layer.site.version,
            title=layer.site.name,
            rows=rows,
        )


def _row_count(file: MappingFile) -> int:
    match file.kind:
        case "ConceptMap":
            return sum(1 for _ in entries(file.resource))
        case "CodeSystem":
            return sum(1 for _ in objects(file.resource.get("concept")))
        case "NamingSystem":
            return sum(1 for _ in objects(file.resource.get("uniqueId")))
        case _:
            return 0

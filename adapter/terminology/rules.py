"""What must hold of a set of mappings before a single result is read with it.

Pure and complete: every defect is reported as "file: JSON path: what is wrong", never only the
first. Whether a file is valid FHIR R4 is checked by check.py, which needs fhir.resources and so
does not run at every start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapter.terminology import systems
from adapter.terminology.code_systems import (
    CodeSystemNames,
    preferred_uri,
    read_names,
    system_named,
    well_formed,
)
from adapter.terminology.conceptmap import Entry, entries
from adapter.terminology.mapping_files import MappingFile, extension, objects
from adapter.terminology.site import Site, alias_defects
from adapter.terminology.vocabulary import TestRole, WordKind
from adapter.terminology.word_rules import word_defects
from adapter.terminology.words import is_word_file, phrases, spelling

Layers = Sequence[Sequence[MappingFile]]

_METADATA = ("url", "version", "name", "title", "status", "date", "publisher", "description")
_KINDS = frozenset({"CodeSystem", "ConceptMap", "NamingSystem", "StructureDefinition", "ValueSet"})
_OVERLAY_KINDS = frozenset({"CodeSystem", "ConceptMap", "NamingSystem"})
_STATUSES = frozenset({"draft", "active"})
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_EQUIVALENCES = frozenset(
    {"relatedto", "equivalent", "equal", "wider", "subsumes", "narrower", "specializes", "inexact"}
)
_NOT_RESULTS = frozenset({TestRole.EXCLUDED.value, TestRole.OTHER_ANALYTE.value})

_KEEPING_OUT = frozenset(
    {WordKind.OTHER_ANALYTE, WordKind.OTHER_TEST, WordKind.SITE_OTHER, WordKind.NEGATION}
)


@dataclass(frozen=True)
class _Placed:
    """A row and the file it stands in."""

    file: MappingFile
    target: str
    entry: Entry

    @property
    def at(self) -> str:
        return f"{self.file.name}: {self.entry.path}"


def defects(layers: Layers, sites: Sequence[Site] = ()) -> list[str]:
    """List every defect of the shipped set (first layer) and a site's overlays (the others).

    Args:
        layers: the files of each.
        sites: what the overlays' site.toml say; their names of code systems hold for all rows.

    """
    files = [file for layer in layers for file in layer]
    found = list(_renamed_systems(layers))
    # A system that lost its name would make every row of the shipped maps a defect too.
    names = read_names(layers[0] if found else files)
    for site in sites:
        wrong = list(alias_defects(site, names, _systems_used(files, names)))
        names = names if wrong else names.and_also(site.aliases)
        found += wrong
    for number, layer in enumerate(layers):
        for file in layer:
            found += _file_defects(file, is_overlay=number > 0)
        found += _set_defects(layer)
        found += _repeated_rows(_placed(layer))
        found += word_defects(layer)
    found += _repeated_urls(files)
    found += _row_defects(files, names)
    found += _undeniable(layers)
    found += _site_words(layers)
    if layers:
        found += _missing_parts(layers[0])
    return found


def _file_defects(file: MappingFile, *, is_overlay: bool) -> Iterator[str]:
    """Check the kind of resource and the metadata of one file."""
    at = f"{file.name}: $"
    allowed = _OVERLAY_KINDS if is_overlay else _KINDS
    if file.kind not in allowed:
        yield f"{at}.resourceType: {file.kind or 'missing'} is none of {', '.join(sorted(allowed))}"
        return
    for element in _METADATA:
        if not file.metadata(element).strip():
            yield f"{at}.{element}: missing"
    if file.metadata("status") and file.metadata("status") not in _STATUSES:
        yield f"{at}.status: {file.metadata('status')} is not in use (draft or active)"
    if file.metadata("version") and not _VERSION.fullmatch(file.metadata("version")):
        yield f"{at}.version: not a version such as 1.0.0"
    if file.metadata("date") and not _DATE.match(file.metadata("date")):
        yield f"{at}.date: not a date such as 2026-01-31"
    ours = file.url.startswith(f"{systems.BASE}/")
    if file.url and ours is is_overlay:
        expected = "a url of the site's own" if is_overlay else f"a url below {systems.BASE}"
        yield f"{at}.url: {file.url} is not {expected}"
    if file.kind == "NamingSystem" and not preferred_uri(file):
        yield f"{at}.uniqueId: no preferred uri, so the system has no canonical url"


def _set_defects(layer: Sequence[MappingFile]) -> Iterator[str]:
    """Hold the files of one layer to one version: one number names the whole set."""
    versions = sorted({file.metadata("version") for file in layer} - {""})
    if len(versions) > 1:
        for file in layer:
            if file.metadata("version") != versions[-1]:
                yield f"{file.name}: $.version: {file.metadata('version')}, but the set has {versions[-1]}"


def _repeated_urls(files: Iterable[MappingFile]) -> Iterator[str]:
    """Hold each url to one resource."""
    first: dict[str, str] = {}
    for file in files:
        if file.url and first.setdefault(file.url, file.name) != file.name:
            yield f"{file.name}: $.url: {file.url} is the url of {first[file.url]} already"


def _placed(files: Iterable[MappingFile]) -> list[_Placed]:
    """Collect the rows of all input maps."""
    return [
        _Placed(file, str(file.resource.get("targetUri", "")), entry)
        for file in files
        if file.kind == "ConceptMap" and file.url not in systems.OUTPUT_MAPS
        for entry in entries(file.resource)
    ]


def _repeated_rows(rows: Iterable[_Placed]) -> Iterator[str]:
    """Hold each code, within a layer, to one meaning under one kind of test, said once."""
    first: dict[tuple[str, str, str], _Placed] = {}
    for placed in rows:
        entry = placed.entry
        earlier = first.setdefault((placed.target, *entry.key), placed)
        if earlier is placed:
            continue
        if earlier.entry.row.meaning == entry.row.meaning:
            yield f"{placed.at}: duplicate row: {entry.row.code} is at {earlier.at} already"
        else:
            yield (
                f"{placed.at}: contradictory row: {entry.row.code} is {entry.row.meaning} here and"
                f" {earlier.entry.row.meaning} at {earlier.at}"
            )


def _row_defects(files: Sequence[MappingFile], names: CodeSystemNames) -> Iterator[str]:
    """Check every row of every map: its systems, codes, target and source."""
    members = value_sets(files)
    for file in files:
        if file.kind != "ConceptMap":
            continue
        target_set = str(file.resource.get("targetUri", ""))
        is_output = file.url in systems.OUTPUT_MAPS
        if not is_output and target_set not in systems.INPUT_TARGETS:
            yield f"{file.name}: $.targetUri: {target_set or 'missing'} is no value set that the adapter maps to"
            continue
        rows = list(entries(file.resource))
        if not rows:
            yield f"{file.name}: $.group: a map without a row"
        for entry in rows:
            for problem in _entry_problems(entry, names):
                yield f"{file.name}: {entry.path}: {problem}"
            target = (entry.target_system, entry.row.meaning)
            if not is_output and target not in members.get(target_set, frozenset()):
                yield f"{file.name}: {entry.path}: unknown target {entry.row.meaning!r}: not in {target_set}"


def _entry_problems(entry: Entry, names: CodeSystemNames) -> Iterator[str]:
    """Check one row by itself."""
    if not entry.row.system or names.canonical(entry.row.system) != entry.row.system:
        canonical = names.canonical(entry.row.system)
        yield f"source system {entry.row.system!r} is not canonical; write {canonical!r}"
    if not entry.row.code or entry.row.code != entry.row.code.strip():
        yield f"source code {entry.row.code!r} is missing or has outer blanks"
    for system, code in (
        (entry.row.system, entry.row.code),
        (entry.target_system, entry.row.meaning),
    ):
        form = names.form(system)
        if not well_formed(code, form):
            yield f"{code!r} is no code of {system}: its form or check digit is wrong"
    if entry.equivalence not in _EQUIVALENCES:
        yield f"equivalence {entry.equivalence!r} is none of {', '.join(sorted(_EQUIVALENCES))}"
    if not entry.source.strip():
        yield "no source: say in the target's comment who says so"


def _undeniable(layers: Layers) -> Iterator[str]:
    """Keep a site from making a result of a serum test, or of another marker's test."""
    if not layers:
        return
    denied = {
        p.entry.key: p.entry.row.meaning
        for p in _placed(layers[0])
        if p.target == systems.TEST_ROLES and p.entry.row.meaning in _NOT_RESULTS
    }
    for layer in layers[1:]:
        for placed in _placed(layer):
            was = denied.get(placed.entry.key) if placed.target == systems.TEST_ROLES else None
            if was and placed.entry.row.meaning not in _NOT_RESULTS:
                yield f"{placed.at}: {placed.entry.row.code} is {was} and cannot become {placed.entry.row.meaning}"


def _site_words(layers: Layers) -> Iterator[str]:
    """Keep a site from taking away the words that keep a foreign or denied result out.

    Nor may it write words that the reader does not ask for.
    """
    if len(layers) < 2:
        return
    denied = {
        spelling(p.text): p
        for file in layers[0]
        for p in (phrases(file) if is_word_file(file) else ())
        if p.kind in _KEEPING_OUT
    }
    for layer in layers[1:]:
        for file in filter(is_word_file, layer):
            for phrase in phrases(file):
                if _is_of_the_grammar(phrase.text):
                    yield (
                        f"{file.name}: {phrase.path}: {phrase.text!r} has digits and no letter: that "
                        "is read by the grammar, so it would be without effect"
                    )
                was = denied.get(spelling(phrase.text))
                if was is not None and phrase.kind != was.kind:
                    yield (
                        f"{file.name}: {phrase.path}: {phrase.text!r} is {was.kind} and cannot "
                        f"become {phrase.kind}"
                    )


def _is_of_the_grammar(phrase: str) -> bool:
    return any(map(str.isdigit, phrase)) and not any(map(str.isalpha, phrase))


def _renamed_systems(layers: Layers) -> Iterator[str]:
    """Keep a site from giving the name of one code system to another."""
    for number, layer in enumerate(layers[1:], start=1):
        below = [file for earlier in layers[:number] for file in earlier]
        names = read_names(below)
        used = _systems_used(below, names)
        for file in layer:
            url = preferred_uri(file) if file.kind == "NamingSystem" else ""
            for name in objects(file.resource.get("uniqueId")) if url else ():
                value = str(name.get("value", "")).strip()
                named = {system_named(value, names, used)} - {None}
                if extension(name, systems.PREFIX_EXTENSION) is True:
                    named |= {one for one in used if one.lower().startswith(value.lower())}
                for was in sorted(filter(None, named - {url})):
                    yield f"{file.name}: $.uniqueId: {value} names {was} already, and cannot name {url}"


def _systems_used(files: Iterable[MappingFile], names: CodeSystemNames) -> frozenset[str]:
    """Collect the canonical urls of code systems that rows and NamingSystems use."""
    named = {*names.exact.values(), *(url for _, url in names.prefixes)}
    return frozenset(named | {placed.entry.row.system for placed in _placed(files)})


def _missing_parts(shipped: Sequence[MappingFile]) -> Iterator[str]:
    """Hold the set to be whole: an absent file would make known codes unknown."""
    targets = {str(f.resource.get("targetUri", "")) for f in shipped if f.kind == "ConceptMap"}
    urls = {file.url for file in shipped}
    for target in sorted(systems.INPUT_TARGETS - targets):
        yield f"the set: $: no ConceptMap to {target}"
    for url in sorted(
        (systems.OUTPUT_MAPS | systems.OUTPUT_CODE_SYSTEMS | {systems.WORD_SYSTEM}) - urls
    ):
        yield f"the set: $: {url} is missing"


def value_sets(files: Iterable[MappingFile]) -> dict[str, frozenset[tuple[str, str]]]:
    """Collect the (system, code) pairs that each ValueSet lists."""
    return {
        file.url: frozenset(
            (str(include.get("system", "")), str(concept.get("code", "")))
            for include in objects(_compose(file).get("include"))
            for concept in objects(include.get("concept"))
        )
        for file in files
        if file.kind == "ValueSet"
    }


def _compose(file: MappingFile) -> dict[str, object]:
    compose = file.resource.get("compose")
    return compose if isinstance(compose, dict) else {}

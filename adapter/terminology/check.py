"""Whether a set of mappings is valid FHIR R4 and hangs together: `her2-adapter mappings check`.

The one module here that needs fhir.resources, so nothing that runs at every start imports it. It reports what start
refuses too (rules.py), and beyond that what a reviewer must know before a set is shipped: resources that are not
FHIR R4, rows that nothing uses, meanings of the core that no row reaches, value sets that differ from the maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from adapter.her2.model import AscoCapStatus, Category, IhcScore, IshGroup, ResultWord
from adapter.terminology import systems
from adapter.terminology.code_systems import preferred_uri, read_names, well_formed
from adapter.terminology.conceptmap import Entry, entries
from adapter.terminology.layers import Layer, defects_of, read_layers
from adapter.terminology.mapping_files import MappingFile, objects
from adapter.terminology.rules import value_sets
from adapter.terminology.vocabulary import Answer, TestRole, WordKind
from adapter.terminology.word_rules import MEANINGS, SCORE_RANGES
from adapter.terminology.words import is_word_file, phrases

RECOGNISED_TESTS = f"{systems.BASE}/ValueSet/recognised-tests"
EXCLUDED_TESTS = f"{systems.BASE}/ValueSet/excluded-tests"

_EXCLUDED_ROLES = frozenset({TestRole.EXCLUDED.value, TestRole.OTHER_ANALYTE.value})
_UNLISTED_ROLES = _EXCLUDED_ROLES | {
    TestRole.GENERIC.value,
    TestRole.DOCUMENT.value,
    TestRole.GENE_STUDIED.value,
}

_OF_THE_WHOLE = frozenset({ResultWord.NEGATIVE_OR_EQUIVOCAL})
_WORDS_ONLY = frozenset({ResultWord.LOW, ResultWord.ULTRALOW}) | _OF_THE_WHOLE
_CORE_WORDS = frozenset(word.value for word in ResultWord)
_REACHED: dict[str, frozenset[str]] = {
    systems.IHC_ANSWERS: (_CORE_WORDS - _OF_THE_WHOLE)
    | {s.value for s in IhcScore if s is not IhcScore.ZERO_PLUS},
    systems.ISH_ANSWERS: (_CORE_WORDS - _WORDS_ONLY)
    | {f"group-{group.value}" for group in IshGroup},
    systems.OVERALL_ANSWERS: _CORE_WORDS,
    systems.TEST_ROLES: frozenset(role.value for role in TestRole),
    systems.TEST_METHODS: frozenset({TestRole.IHC.value, TestRole.ISH.value}),
    systems.TUMOUR_SITES: frozenset({"breast", "in-situ", "secondary", "other"}),
    systems.SIDES: frozenset({"left", "right"}),
}
"""What some row must map to. 0+ and ranges are written as text only: no code system has them."""

_ANSWER_SETS = (systems.IHC_ANSWERS, systems.ISH_ANSWERS, systems.OVERALL_ANSWERS)
_NEEDS_EVERY_MEANING = frozenset(MEANINGS) - {WordKind.IHC_SCORE, WordKind.ISH_RESULT}
"""Kinds with a phrase for each meaning; scores are numbers, and no group or range needs a word."""
_SHORTEST_SCTID = 9
"""Digits; a shorter number with a right Verhoeff digit is more likely another system's."""


def check_mappings(folder: Path | None = None, overlays: Sequence[Path] = ()) -> tuple[str, ...]:
    """List every defect of a set of mappings, as "file: JSON path: what is wrong"; () when there is none.

    Args:
        folder: the mappings; None for those that came with the adapter.
        overlays: folders of a site's own maps.

    Source: FHIR R4 (by fhir.resources' R4B models) and rules.py.

    """
    layers, defects = read_layers(folder, overlays)
    return tuple(dict.fromkeys((*defects, *check_layers(layers))))


def check_layers(layers: Sequence[Layer]) -> tuple[str, ...]:
    """List every defect of a set that was read or is about to be written, the shipped layer first."""
    files = [file for layer in layers for file in layer.files]
    defects: list[str] = []
    for file in files:
        defects += _invalid_fhir(file)
    defects += _wrong_systems(files)
    defects += defects_of(layers)
    shipped = layers[0].files
    defects += _unlisted_concepts(shipped)
    defects += _value_sets_that_differ(shipped)
    defects += _unreached(shipped)
    defects += _unreached_words(shipped)
    defects += _unused_concepts(shipped)
    defects += _unused_answers(shipped)
    defects += _unused_names(shipped)
    defects += _without_licence(shipped)
    return tuple(dict.fromkeys(defects))


def _invalid_fhir(file: MappingFile) -> Iterator[str]:
    """Report what fhir.resources' R4B model of the resource refuses."""
    try:
        model = get_fhir_model_class(file.kind)
    except ValueError:
        return  # rules.py says that it is no kind of resource that belongs here
    try:
        model.model_validate(dict(file.resource))
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            path = "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]
            )
            yield f"{file.name}: ${path}: {problem['msg']}"


def _unlisted_concepts(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report value sets that list a code which our own code system does not have."""
    concepts = _own_concepts(files)
    for url, members in value_sets(files).items():
        for system, code in sorted(members):
            if system in concepts and code not in concepts[system]:
                yield f"{_name(files, url)}: $.compose: {code!r} is no code of {system}"


def _value_sets_that_differ(files: Sequence[MappingFile]) -> Iterator[str]:
    """Hold the value sets of recognised and excluded tests to the rows of the test codes."""
    rows = [entry for _, entry in _rows(files, systems.TEST_ROLES)]
    listed = value_sets(files)
    for url, codes in (
        (RECOGNISED_TESTS, {e.key for e in rows if e.row.meaning not in _UNLISTED_ROLES}),
        (EXCLUDED_TESTS, {e.key for e in rows if e.row.meaning in _EXCLUDED_ROLES}),
    ):
        for system, code in sorted(codes ^ listed.get(url, frozenset())):
            where = "in the map only" if (system, code) in codes else "in the value set only"
            yield f"{_name(files, url)}: $.compose: {code} of {system} is {where}"


def _unreached(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report what the core knows and no row, concept or word reaches."""
    for target, needed in _REACHED.items():
        reached = {entry.row.meaning for _, entry in _rows(files, target)}
        for meaning in sorted(needed - reached):
            yield f"the set: {target}: no row maps to {meaning!r}"
    answered = {e.row.meaning for target in _ANSWER_SETS for _, e in _rows(files, target)}
    for answer in sorted(set(Answer) - answered):
        yield f"the set: {systems.ANSWER_SYSTEM}: no row of any answer maps to {answer.value!r}"
    concepts = _own_concepts(files)
    answers = (
        {score.value for score in IhcScore} | _CORE_WORDS | SCORE_RANGES | {a.value for a in Answer}
    )
    answers |= {f"group-{group.value}" for group in IshGroup}
    for system, known in (
        (systems.CATEGORY_SYSTEM, {category.value for category in Category}),
        (systems.ASCO_CAP_SYSTEM, {status.value for status in AscoCapStatus}),
        (systems.TEST_ROLE_SYSTEM, {role.value for role in TestRole}),
        (systems.ANSWER_SYSTEM, answers),
    ):
        for code in sorted(known ^ concepts.get(system, set())):
            where = "unknown to the core" if code not in known else "missing"
            yield f"{_name(files, system)}: $.concept: {code!r} is {where}"


def _unreached_words(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report kinds of words without a phrase, and meanings of a kind that no phrase has."""
    said = {(p.kind, p.meaning) for f in files if is_word_file(f) for p in phrases(f)}
    for kind in sorted(set(WordKind) - {kind for kind, _ in said}):
        yield f"the set: {systems.WORD_SYSTEM}: no phrase of kind {kind.value!r}"
    for kind in sorted(_NEEDS_EVERY_MEANING):
        for meaning in sorted(MEANINGS[kind] - {said_of for k, said_of in said if k == kind}):
            yield f"the set: {systems.WORD_SYSTEM}: no phrase of kind {kind.value!r} means {meaning!r}"


def _unused_concepts(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report reasons of exclusion, sites and adapter terms that no row uses."""
    used = {
        entry.product(systems.EXCLUSION_SYSTEM) for _, entry in _rows(files, systems.TEST_ROLES)
    }
    used |= {
        p.meaning
        for f in files
        if is_word_file(f)
        for p in phrases(f)
        if p.kind in (WordKind.OTHER_ANALYTE, WordKind.OTHER_TEST)
    }
    concepts = _own_concepts(files)
    for code in sorted(concepts.get(systems.EXCLUSION_SYSTEM, set()) ^ (used - {""})):
        where = "used by no row" if code not in used else "used, but missing"
        yield f"{_name(files, systems.EXCLUSION_SYSTEM)}: $.concept: {code!r} is {where}"
    targets = (systems.TUMOUR_SITES, systems.SIDES, systems.GENES)
    sites = {entry.row.meaning for target in targets for _, entry in _rows(files, target)}
    for code in sorted(concepts.get(systems.SITE_SYSTEM, set()) - sites):
        yield f"{_name(files, systems.SITE_SYSTEM)}: $.concept: {code!r} is used by no row"
    for _, entry in _rows(files, systems.TEST_ROLES):
        denied = entry.row.meaning in _EXCLUDED_ROLES
        if denied is not bool(entry.product(systems.EXCLUSION_SYSTEM)):
            yield f"{systems.TEST_ROLES}: {entry.path}: {entry.row.code} needs a reason, or has one without need"


def _unused_answers(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report meanings of answers that no value set of answers lists, so that no row may use them."""
    listed = value_sets(files)
    usable = {code for target in _ANSWER_SETS for _, code in listed.get(target, frozenset())}
    for code in sorted(_own_concepts(files).get(systems.ANSWER_SYSTEM, set()) - usable):
        yield f"{_name(files, systems.ANSWER_SYSTEM)}: $.concept: {code!r} is in no value set of answers"


def _unused_names(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report names of code systems of which no map and no value set has a code."""
    used = {system for members in value_sets(files).values() for system, _ in members}
    used.add(systems.CASE_IDENTIFIER_SYSTEM)
    for file in files:
        for entry in entries(file.resource) if file.kind == "ConceptMap" else ():
            used |= {entry.row.system, entry.target_system}
    for file in files:
        if file.kind == "NamingSystem" and preferred_uri(file) not in used:
            yield f"{file.name}: $.uniqueId: no row has a code of {preferred_uri(file)}"


def _wrong_systems(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report codes of LOINC or SNOMED CT that stand under another system: nobody would find them."""
    names = read_names(files)
    for file in files:
        for entry in entries(file.resource) if file.kind == "ConceptMap" else ():
            code = entry.row.code
            if names.form(entry.row.system):
                continue
            is_sctid = len(code) >= _SHORTEST_SCTID and well_formed(code, "sctid")
            if is_sctid or well_formed(code, "loinc"):
                shape = "SNOMED CT" if is_sctid else "LOINC"
                yield f"{file.name}: {entry.path}: {code} has the form of {shape}, not of {entry.row.system}"


def _without_licence(files: Sequence[MappingFile]) -> Iterator[str]:
    """Report maps and value sets that name codes of LOINC or SNOMED CT without their licence."""
    names = read_names(files)
    for file in files:
        systems_named = {system for system, _ in value_sets([file]).get(file.url, frozenset())}
        if file.kind == "ConceptMap":
            for entry in entries(file.resource):
                systems_named |= {entry.row.system, entry.target_system}
        licensed = sorted(system for system in systems_named if names.form(system))
        if licensed and not file.metadata("copyright").strip():
            yield f"{file.name}: $.copyright: missing, but codes of {', '.join(licensed)} are named"


def _rows(files: Sequence[MappingFile], target: str) -> list[tuple[MappingFile, Entry]]:
    """Collect the rows of every map to a value set."""
    return [
        (file, entry)
        for file in files
        if file.kind == "ConceptMap" and file.resource.get("targetUri") == target
        for entry in entries(file.resource)
    ]


def _own_concepts(files: Sequence[MappingFile]) -> dict[str, set[str]]:
    """Collect the codes of each of our code systems that lists them."""
    return {
        file.url: {
            str(concept.get("code", "")) for concept in objects(file.resource.get("concept"))
        }
        for file in files
        if file.kind == "CodeSystem" and file.resource.get("content") == "complete"
    }


def _name(files: Sequence[MappingFile], url: str) -> str:
    """Name the file of a resource by its url; the url itself when it is missing."""
    return next((file.name for file in files if file.url == url), url)

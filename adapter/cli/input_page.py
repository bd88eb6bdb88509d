"""The page docs/clinical-input.md: what is read and what is refused, by the mappings and the reader itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from adapter.cli.input_examples import EXAMPLES, INTRODUCTION, STRUCTURES
from adapter.fhir import reasons
from adapter.fhir.recognise import Recognised, recognise
from adapter.fhir.references import Graph
from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.policy import ASCO_CAP_2023
from adapter.her2.wording import ihc_said, ish_said
from adapter.terminology import systems
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.conceptmap import Entry
from adapter.terminology.vocabulary import AnswerKind, TestRole, WordKind

_REFUSED: Final = frozenset({TestRole.EXCLUDED.value, TestRole.OTHER_ANALYTE.value})
_ANSWERS: Final = (
    (AnswerKind.IHC, "under an IHC test", systems.IHC_ANSWERS),
    (AnswerKind.ISH, "under an ISH test", systems.ISH_ANSWERS),
    (AnswerKind.OVERALL, "as the laboratory's overall result", systems.OVERALL_ANSWERS),
)


def page(catalogue: Catalogue) -> str:
    """Write the whole page in Markdown."""
    versions = ", overlay ".join((catalogue.version, *catalogue.overlay_versions))
    parts = [
        f"# What is read, and what is refused\n\n{INTRODUCTION}\nVocabulary: {versions}.\n",
        "## Tests\n\n### Read\n",
        _tests(catalogue, refused=False),
        "### Seen and refused\n",
        _tests(catalogue, refused=True),
        "### Methods\n\nThey tell IHC from ISH beside a code that says neither; never a result.\n",
        _table(
            ("system", "code", "name", "means"),
            (
                (_system(catalogue, e), e.row.code, e.row.display, e.row.meaning)
                for e in _rows(catalogue, systems.TEST_METHODS)
            ),
        ),
        "## Coded answers\n\nBy exact system and code, under the test that was asked.\n",
    ]
    for _, heading, target in _ANSWERS:
        parts.append(f"### {heading[0].upper()}{heading[1:]}\n")
        parts.append(
            _table(
                ("system", "code", "shown as", "means"),
                (
                    (_system(catalogue, e), e.row.code, e.row.display, e.row.meaning)
                    for e in _rows(catalogue, target)
                ),
            )
        )
    parts += [
        "## Texts\n\nRead by the reader itself when this page was made. Shown is what one such result alone gives.\n",
        _examples(catalogue),
        STRUCTURES,
        "## Words\n\nEvery phrase of the vocabulary, by what it does and means.\n",
        _words(catalogue),
        "## Reasons\n\nWhy a result was read as it was, was not read, or needs a person.\n",
        _table(
            ("reason", "sentence"),
            sorted((f"`{code}`", text) for code, text in reasons.SENTENCES.items()),
        ),
    ]
    return "\n".join(parts)


def _rows(catalogue: Catalogue, target: str) -> list[Entry]:
    rows = catalogue.maps.get(target, {}).values()
    return sorted(rows, key=lambda e: (e.row.meaning, e.row.system, e.row.code))


def _tests(catalogue: Catalogue, *, refused: bool) -> str:
    rows = (
        (
            _system(catalogue, e),
            e.row.code,
            e.row.display,
            e.product(systems.EXCLUSION_SYSTEM) if refused else e.row.meaning,
            e.source.removeprefix("Source: "),
        )
        for e in _rows(catalogue, systems.TEST_ROLES)
        if (e.row.meaning in _REFUSED) is refused
    )
    heading = "because" if refused else "read as"
    return _table(("system", "code", "name", heading, "who says so"), rows)


def _system(catalogue: Catalogue, entry: Entry) -> str:
    return catalogue.names.titles.get(entry.row.system, entry.row.system)


def _examples(catalogue: Catalogue) -> str:
    rows = []
    for asked, code, texts in EXAMPLES:
        for text in texts:
            found = recognise(_observation(catalogue, code, text), Graph.of([]), catalogue)
            rows.append((asked, f"`{text}`", _read_as(found), _outcome(found)))
    return _table(("asked", "written", "read as", "alone it gives"), rows)


def _observation(catalogue: Catalogue, role: TestRole, text: str) -> dict[str, object]:
    """Make a final result under the first code of a role."""
    system, code = next(
        entry.key
        for entry in catalogue.maps[systems.TEST_ROLES].values()
        if entry.row.meaning == role
    )
    return {
        "resourceType": "Observation",
        "id": "example",
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": "Patient/example"},
        "valueString": text,
    }


def _read_as(found: Recognised) -> str:
    evidence = found.evidence
    if evidence is None:
        return ""
    said = [ihc_said(evidence.ihc)] if evidence.ihc else []
    said += [ish_said(evidence.ish)] if evidence.ish else []
    said += [f"overall {evidence.overall.word.value}"] if evidence.overall else []
    return "; ".join(said)


def _outcome(found: Recognised) -> str:
    evidence = found.evidence
    if evidence is None or evidence.unreadable is not None:
        return f"not read: {found.reason.code}"
    answers = [classify(case, ASCO_CAP_2023) for case in group([evidence])]
    category = ", ".join(answer.category.value for answer in answers)
    conflict = evidence.contradictions[0].code if evidence.contradictions else ""
    return f"{category}: {conflict}" if conflict else category


def _words(catalogue: Catalogue) -> str:
    by_meaning: dict[tuple[str, str], list[str]] = defaultdict(list)
    for word in catalogue.words():
        by_meaning[word.kind.value, word.meaning].append(f"{word.phrase} ({word.language})")
    order = list(WordKind)
    keys = sorted(by_meaning, key=lambda key: (order.index(WordKind(key[0])), key[1]))
    return _table(
        ("kind", "meaning", "phrases"),
        ((kind, meaning, "; ".join(sorted(by_meaning[kind, meaning]))) for kind, meaning in keys),
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(_lines(columns, rows)) + "\n"


def _lines(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ⏎ ") for cell in row)
        yield f"| {' | '.join(cells)} |"

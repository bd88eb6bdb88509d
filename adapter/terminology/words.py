"""The text vocabulary: phrases, what each does in a text, and what it means.

Pure. The phrases are the designations of CodeSystem her2-word, and of its supplements in a site's
overlay; reading a text with them is the recogniser's work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapter.terminology.conceptmap import JsonObject
from adapter.terminology.mapping_files import MappingFile, extension, objects
from adapter.terminology.systems import ROW_SOURCE_EXTENSION, WORD_SYSTEM
from adapter.terminology.vocabulary import MapRow, Word, WordKind

ANY_LANGUAGE = "*"

_PART = re.compile(r"\d+|[^\W\d_]+|[^\w\s-]")


@dataclass(frozen=True)
class Phrase:
    """One designation as written, before it is checked.

    `kind` and `meaning` are properties of its concept.
    """

    text: str
    language: str
    kind: str
    meaning: str
    source: str
    concept: str
    map: str
    path: str


def is_word_file(file: MappingFile) -> bool:
    """Tell whether a file holds phrases: the code system itself, or a supplement to it."""
    return file.kind == "CodeSystem" and WORD_SYSTEM in (file.url, file.resource.get("supplements"))


def phrases(file: MappingFile) -> Iterator[Phrase]:
    """Yield every phrase of a word file in the order written."""
    for c, concept in enumerate(objects(file.resource.get("concept"))):
        kind, meaning = property_value(concept, "kind"), property_value(concept, "meaning")
        for d, designation in enumerate(objects(concept.get("designation"))):
            source = extension(designation, ROW_SOURCE_EXTENSION)
            yield Phrase(
                text=str(designation.get("value", "")),
                language=str(designation.get("language", ANY_LANGUAGE)),
                kind=kind,
                meaning=meaning,
                source=source if isinstance(source, str) else "",
                concept=str(concept.get("code", "")),
                map=file.url,
                path=f"concept[{c}].designation[{d}]",
            )


def words(files: Iterable[MappingFile]) -> tuple[Word, ...]:
    """Build every word, longest phrase first: "not amplified" is found before "amplified".

    A phrase of a later file replaces the same phrase whole, whatever kind and meaning it had: two
    meanings of one phrase would leave it understood as nothing.
    """
    found: dict[str, Word] = {}
    for file in filter(is_word_file, files):
        said = {phrase.text: _word(phrase) for phrase in phrases(file)}
        if found:
            replaced = {spelling(text) for text in said}
            found = {text: w for text, w in found.items() if spelling(text) not in replaced}
        found |= said
    return tuple(sorted(found.values(), key=lambda w: (-len(w.phrase), w.phrase, w.kind)))


def spelling(text: str) -> tuple[str, ...]:
    """Give what is the same for phrases that are one to the reader: "her2-neu" and "her2neu".

    Blanks, hyphens, and the seam between letters and digits part a phrase; none of them counts. ß is ss.
    """
    return tuple(_PART.findall(text.casefold()))


def _word(phrase: Phrase) -> Word:
    row = MapRow(
        map=phrase.map,
        system=WORD_SYSTEM,
        code=phrase.concept,
        meaning=phrase.meaning,
        display=phrase.text,
    )
    kind = WordKind(phrase.kind)
    return Word(phrase.text, kind, phrase.meaning, phrase.language, row)


def property_value(concept: JsonObject, code: str) -> str:
    """Give the value of a concept's property as text, "" when it has none."""
    for candidate in objects(concept.get("property")):
        if candidate.get("code") == code:
            return next((str(v) for k, v in candidate.items() if k.startswith("value")), "")
    return ""

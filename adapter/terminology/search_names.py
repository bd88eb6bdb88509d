"""By which beginnings of its name a HER2 test is searched for on a server.

A server compares names letter by letter, and often only from the left: "her2" does not find
"HER-2 FISH", nor "IHC HER2". So every spelling that the recogniser reads as one is listed, and the
names that begin with the assay; a beginning that another one covers is left out. Finding too much
does no harm, because the recogniser looks at what was found.

Source: FHIR R4, search.html#token (:text) and #string (from the left, without case and accents).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from adapter.terminology.vocabulary import Word, WordKind

_BEFORE_DIGIT = re.compile(r"(?<=[^\W\d_])-?(?=\d)")
_JOINTS = ("", "-", " ")
"""How letters and the number after them are joined: HER2, HER-2, HER 2."""
_HYPHENS = ("-", " ")
_LETTERS = re.compile(r"[^\W\d_]+")


def search_names(words: Iterable[Word]) -> tuple[str, ...]:
    """Give the beginnings of names of HER2 tests, in lower case, sorted; none begins with another."""
    listed = list(words)
    names = {word.phrase for word in listed if word.kind is WordKind.HER2}
    assays = {word.phrase for word in listed if word.kind is WordKind.ASSAY}
    spelled = {one for name in names for one in _spellings(name)}
    return _without_covered(spelled | set(_after_assays(assays)))


def _spellings(name: str) -> Iterator[str]:
    for hyphen in _HYPHENS:
        for joint in _JOINTS:
            yield _BEFORE_DIGIT.sub(joint, name.replace("-", hyphen))


def _after_assays(assays: Iterable[str]) -> Iterator[str]:
    """Name a test as "IHC HER2" begins; up to the number, so that one beginning has every spelling."""
    letters = _LETTERS.match(WordKind.HER2.value)
    for assay in assays:
        if letters and " " not in assay:
            yield f"{assay} {letters[0]}"


def _without_covered(beginnings: set[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for one in sorted(beginnings):
        if not (kept and one.startswith(kept[-1])):
            kept.append(one)
    return tuple(kept)

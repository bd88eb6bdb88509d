"""What another set of mappings would read otherwise: rows, phrases and names of code systems.

Pure. Compares two loaded catalogues; what a difference does to a result is told by classifying with
both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapter.terminology import systems
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.conceptmap import Entry
from adapter.terminology.vocabulary import Word
from adapter.terminology.words import spelling

WORDS: Final = "words"
NAMES: Final = "names-of-code-systems"


@dataclass(frozen=True)
class Difference:
    """One thing that two sets read differently.

    `where`: the value set that a row maps to ("ihc-answers"), WORDS or NAMES. `system`: of the
    code; "" for a phrase and a name. `code`: the code, the phrase, or the name. `before`, `after`:
    what it means; None where the set does not have it. `map`: the file that says so after (before,
    when it is gone).
    """

    where: str
    system: str
    code: str
    before: str | None
    after: str | None
    map: str

    @property
    def overrides(self) -> bool:
        """Whether something that had a meaning gets another one, or none."""
        return self.before is not None


def differences(before: Catalogue, after: Catalogue) -> tuple[Difference, ...]:
    """List what two sets read differently, what is overridden first.

    The same meaning from another file is no difference.
    """
    found = [*_rows(before, after), *_words(before, after), *_names(before, after)]
    return tuple(sorted(found, key=lambda d: (not d.overrides, d.where, d.system, d.code)))


def _rows(before: Catalogue, after: Catalogue) -> Iterator[Difference]:
    for target in sorted(systems.INPUT_TARGETS):
        old, new = before.maps.get(target, {}), after.maps.get(target, {})
        for key in old.keys() | new.keys():
            was, becomes = _meaning(old.get(key)), _meaning(new.get(key))
            if was != becomes:
                row = (new.get(key) or old[key]).row
                where = target.rpartition("/")[2]
                yield Difference(where, row.system, row.code, was, becomes, row.map)


def _meaning(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    reason = entry.product(systems.EXCLUSION_SYSTEM)
    return f"{entry.row.meaning} ({reason})" if reason else entry.row.meaning


def _words(before: Catalogue, after: Catalogue) -> Iterator[Difference]:
    old = {spelling(word.phrase): word for word in before.words()}
    new = {spelling(word.phrase): word for word in after.words()}
    for phrase in old.keys() | new.keys():
        was, becomes = _said(old.get(phrase)), _said(new.get(phrase))
        if was != becomes:
            word = new.get(phrase) or old[phrase]
            yield Difference(WORDS, "", word.phrase, was, becomes, word.row.map)


def _said(word: Word | None) -> str | None:
    return None if word is None else f"{word.kind.value}: {word.meaning}"


def _names(before: Catalogue, after: Catalogue) -> Iterator[Difference]:
    old, new = _all_names(before), _all_names(after)
    for name in old.keys() | new.keys():
        if old.get(name) != new.get(name):
            yield Difference(NAMES, "", name, old.get(name), new.get(name), "")


def _all_names(catalogue: Catalogue) -> Mapping[str, str]:
    prefixes = {f"{start}…": url for start, url in catalogue.names.prefixes}
    return {**prefixes, **catalogue.names.exact}

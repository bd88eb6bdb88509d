"""What something that was not understood might have meant: a suggestion for a person, never a reading.

Pure and deterministic. A suggestion is made of the vocabulary's own codes and phrases only, so that nothing a
laboratory wrote gets into it. Where two suggestions are equally near there is none: a wrong one does more
harm than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from string import digits
from typing import Final

from adapter.fhir.terms import NOT_OF_RESULTS, Terms, holds
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.terminology import systems
from adapter.terminology.vocabulary import TestRole, Word, WordKind

SHORTEST_WORD: Final = 5
"""Letters; among shorter words too many are near to each other."""
CLOSE: Final = 0.85
"""Share of letters that two words must have in common, in order (difflib's ratio)."""
LONGEST_SLIP: Final = 2
"""Letters by which a slip may change a word's length."""
_NO_RESULTS: Final = (
    TestRole.EXCLUDED,
    TestRole.OTHER_ANALYTE,
    TestRole.GENERIC,
    TestRole.DOCUMENT,
)
_NAME: Final = re.compile(r"[^\W\d_]+\d[^\W_]*|\d+[^\W\d_][^\W_]*")
"""A run of letters and digits: a marker, a probe, an antibody."""


def code_elsewhere(system: str, code: str, terms: Terms) -> str:
    """Suggest what an unknown code is where another code system has it; "" where none does.

    Only systems whose codes can be told by their form count: a "1" or a "POS" stands in many, and means
    something else in each.
    """
    found = _checked_codes(terms).get(code.strip(), frozenset())
    if len(found) != 1:
        return ""
    (known,) = found
    if not system.strip():
        return f"{code.strip()} of {known}, sent without its code system"
    names = terms.catalogue.names
    if names.canonical(system) in {*names.exact.values(), *names.forms}:
        return f"{code.strip()} of {known}, sent as a code of another system"
    return f"{code.strip()} of {known}: add a name of the code system"


def is_her2_test_elsewhere(code: str, terms: Terms) -> bool:
    """Tell whether this is the code of a HER2 test in a system whose codes can be told by their form."""
    stripped = code.strip()
    found = (
        terms.catalogue.test_code(known, stripped)
        for known in _checked_codes(terms).get(stripped, frozenset())
    )
    return any(test is not None and test.role not in _NO_RESULTS for test in found)


def nearest_words(said: Iterable[str], terms: Terms) -> str:
    """Suggest the phrases nearest to the one word that was not understood in each text; "" for none."""
    found = (_nearest_word(terms.tokens(text), terms) for text in said)
    near = dict.fromkeys(word for word in found if word)
    return " and ".join(f"almost “{word}”" for word in near)


def nearly_her2(text: str, terms: Terms) -> str:
    """Give the name of HER2 that the name of a test nearly holds ("HRE2"), "" when it holds none.

    Kept from call to call; for names of tests only, which are no patient's.
    """
    return _nearly_her2(terms, text)


def names_other_analyte(said: Iterable[str], terms: Terms) -> bool:
    """Tell whether one of these names of a test names another marker."""
    return any(holds(terms.test_name(text)[0], WordKind.OTHER_ANALYTE) for text in said)


def _nearest_word(tokens: tuple[Token, ...], terms: Terms) -> str:
    unknown = {token.text for token in tokens if token.kind is TokenKind.UNKNOWN}
    word = next(iter(unknown)) if len(unknown) == 1 else ""
    if len(word) < SHORTEST_WORD or not word.isalpha():
        return ""
    # The first letter must be the same: a negation ("unamplified") begins a word with another one.
    candidates = (
        known
        for known in known_words(terms)
        if known[0] == word[0] and abs(len(known) - len(word)) <= LONGEST_SLIP
    )
    rated = sorted(((_likeness(word, known), known) for known in candidates), reverse=True)
    best = sorted(known for likeness, known in rated if likeness == rated[0][0] >= CLOSE)
    is_one = len(best) == 1 or len({_phrases(terms).get(known) for known in best} - {None}) == 1
    return best[0] if best and is_one else ""


def _likeness(word: str, known: str) -> float:
    return SequenceMatcher(None, known, word, autojunk=False).ratio()


@lru_cache(maxsize=1024)
def _nearly_her2(terms: Terms, text: str) -> str:
    # "ER2" is the oestrogen receptor and a number that belongs to it.
    known = _phrases(terms)
    runs = {run for run in _runs(text) if run.rstrip(digits) not in known}
    return next((name for name in _her2_names(terms) if any(_slips(name, run) for run in runs)), "")


def _runs(text: str) -> Iterator[str]:
    """Cut a text at blanks, and drop what stands between letters and digits: "HER-2/neu" is "her2neu"."""
    for part in text.casefold().split():
        yield "".join(sign for sign in part if sign.isalnum())


def _slips(name: str, run: str) -> bool:
    """Tell whether a run is a name with two neighbours swapped, one letter doubled, or one left out.

    A digit is never part of the slip (HER3 is another marker), and a letter is never another one (PER2 is
    another gene).
    """
    if run == name or [s for s in run if s.isdigit()] != [s for s in name if s.isdigit()]:
        return False
    if len(run) == len(name):
        return any(
            run == name[:at] + name[at + 1] + name[at] + name[at + 2 :]
            for at in range(len(name) - 1)
        )
    if len(run) == len(name) + 1:
        return any(run == name[:at] + name[at] + name[at:] for at in range(len(name)))
    return any(run == name[:at] + name[at + 1 :] for at in range(len(name)))


@lru_cache(maxsize=4)
def _her2_names(terms: Terms) -> tuple[str, ...]:
    """Give the names of HER2 that hold a digit or are long, without what joins their parts; shortest first."""
    names = {
        "".join(sign for sign in word.phrase if sign.isalnum())
        for word in terms.catalogue.words_of(WordKind.HER2)
    }
    telling = {name for name in names if len(name) >= 4 and (len(name) >= 8 or not name.isalpha())}
    return tuple(sorted(telling, key=lambda name: (len(name), name)))


@lru_cache(maxsize=4)
def known_words(terms: Terms) -> frozenset[str]:
    """Give the single words of the vocabulary's phrases, in lower case; also names such as "her2"."""
    phrases = [word.phrase.casefold() for word in _words_of_results(terms)]
    names = {run for phrase in phrases for run in _NAME.findall(phrase)}
    return frozenset({part for phrase in phrases for part in _letters(phrase)} | names)


@lru_cache(maxsize=4)
def _phrases(terms: Terms) -> dict[str, tuple[str, str]]:
    """Give what each phrase of a single word does and means."""
    return {
        word.phrase.casefold(): (word.kind.value, word.meaning)
        for word in _words_of_results(terms)
        if word.phrase.isalpha()
    }


def _words_of_results(terms: Terms) -> Iterator[Word]:
    """Give the vocabulary's words but those of diagnoses and samples, which no result is read with."""
    return (word for word in terms.catalogue.words() if word.kind not in NOT_OF_RESULTS)


def _letters(phrase: str) -> list[str]:
    return "".join(sign if sign.isalpha() else " " for sign in phrase).split()


@lru_cache(maxsize=4)
def _checked_codes(terms: Terms) -> dict[str, frozenset[str]]:
    """Index the codes of systems whose codes have a form with a check digit: code → systems."""
    catalogue = terms.catalogue
    found: dict[str, frozenset[str]] = {}
    for target in systems.INPUT_TARGETS:
        for system, code in catalogue.maps.get(target, {}):
            if catalogue.names.form(system):
                found[code] = found.get(code, frozenset()) | {system}
    return found

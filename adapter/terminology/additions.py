"""What a person means who adds a row: from their words to the row, or why it cannot be one. Pure.

Nothing is guessed: where a meaning could stand for several things, all of them are named in the refusal. A
shipped row or phrase is never overridden from here; who wants that writes it into the overlay by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adapter.errors import MappingError
from adapter.terminology import systems
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.overlay import Addition, NewCode, NewName, NewPhrase
from adapter.terminology.vocabulary import Answer, AnswerKind, TestRole, WordKind
from adapter.terminology.word_rules import MEANINGS
from adapter.terminology.words import ANY_LANGUAGE

Meanings = Mapping[AnswerKind, frozenset[str]]
"""What an answer can mean under each kind of test, as our value sets list it."""

ANSWER_TARGETS: Final = {
    AnswerKind.IHC: systems.IHC_ANSWERS,
    AnswerKind.ISH: systems.ISH_ANSWERS,
    AnswerKind.OVERALL: systems.OVERALL_ANSWERS,
}
_UNDER_ISH: Final = {
    Answer.AMPLIFIED.value: "positive",
    Answer.NOT_AMPLIFIED.value: "negative",
}
"""Under an ISH test amplified is what positive means; the core has one word for it."""


class RowKind(StrEnum):
    """What is added."""

    TEST = "test"
    ANSWER = "answer"
    WORD = "word"
    SYSTEM = "system"


@dataclass(frozen=True)
class Asked:
    """What a person asks for. `means`: as they wrote it. `under`: the tests that an answer stands under."""

    means: str
    kind: RowKind | None = None
    system: str = ""
    code: str = ""
    display: str = ""
    phrase: str = ""
    language: str = ANY_LANGUAGE
    under: tuple[AnswerKind, ...] = ()


def additions_of(asked: Asked, catalogue: Catalogue, meanings: Meanings) -> tuple[Addition, ...]:
    """Make the rows that a person asks for.

    Raises:
        MappingError: it is not clear, or the vocabulary says something about it already.

    """
    kind = asked.kind or _kind_of(asked, catalogue, meanings)
    made = {
        RowKind.TEST: lambda: _test(asked, catalogue),
        RowKind.ANSWER: lambda: _answers(asked, catalogue, meanings),
        RowKind.WORD: lambda: _phrase(asked, catalogue),
        RowKind.SYSTEM: lambda: _name(asked, catalogue),
    }
    return made[kind]()


def _kind_of(asked: Asked, catalogue: Catalogue, meanings: Meanings) -> RowKind:
    """Tell by the meaning what is added; the meanings of tests and answers have no word in common."""
    if asked.phrase:
        return RowKind.WORD
    if asked.means in set(TestRole):
        return RowKind.TEST
    if any(asked.means in known for known in meanings.values()):
        return RowKind.ANSWER
    if catalogue.canonical_system(asked.means) in _systems(catalogue):
        return RowKind.SYSTEM
    answers = sorted(frozenset().union(*meanings.values()))
    raise MappingError(
        [
            f"{asked.means!r} means nothing that the adapter knows",
            f"a test can mean {', '.join(TestRole)}",
            f"an answer can mean {', '.join(answers)}",
            f"a code system can be a name of {', '.join(sorted(_systems(catalogue)))}",
            "a phrase is given with --phrase, and means a code of her2-word",
        ]
    )


def _test(asked: Asked, catalogue: Catalogue) -> tuple[Addition, ...]:
    system, code = _coding(asked, catalogue)
    known = catalogue.test_code(system, code)
    if known is not None:
        raise MappingError([f"{code} of {system} is known already: {known.role.value}"])
    return (
        NewCode(
            target=systems.TEST_ROLES,
            target_system=systems.TEST_ROLE_SYSTEM,
            system=system,
            code=code,
            meaning=asked.means,
            display=asked.display,
        ),
    )


def _answers(asked: Asked, catalogue: Catalogue, meanings: Meanings) -> tuple[Addition, ...]:
    system, code = _coding(asked, catalogue)
    rows: list[Addition] = []
    for kind in _kinds_of_test(asked, meanings):
        known = catalogue.answer(kind, system, code)
        if known is not None:
            raise MappingError(
                [f"{code} of {system} is known already under {kind.value}: {known.meaning}"]
            )
        said = _UNDER_ISH.get(asked.means, asked.means) if kind is AnswerKind.ISH else asked.means
        rows.append(
            NewCode(
                target=ANSWER_TARGETS[kind],
                target_system=systems.ANSWER_SYSTEM,
                system=system,
                code=code,
                meaning=said,
                display=asked.display,
            )
        )
    return tuple(rows)


def _kinds_of_test(asked: Asked, meanings: Meanings) -> tuple[AnswerKind, ...]:
    """Give the tests that an answer stands under; the only one where there is one."""
    possible = [
        kind
        for kind, known in meanings.items()
        if asked.means in known or (kind is AnswerKind.ISH and asked.means in _UNDER_ISH)
    ]
    if not possible:
        raise MappingError([f"{asked.means!r} is nothing that an answer can mean"])
    if not asked.under and len(possible) > 1:
        where = ", ".join(kind.value for kind in possible)
        raise MappingError(
            [
                f"{asked.means!r} can be said under several tests: say which with --under, which may be given "
                f"several times ({where})"
            ]
        )
    chosen = dict.fromkeys(asked.under or possible)
    wrong = [kind.value for kind in chosen if kind not in possible]
    if wrong:
        raise MappingError([f"{asked.means!r} cannot be said under {', '.join(wrong)}"])
    return tuple(chosen)


def _phrase(asked: Asked, catalogue: Catalogue) -> tuple[Addition, ...]:
    phrase = " ".join(asked.phrase.lower().split())
    if not phrase:
        raise MappingError(
            ["the worklist does not keep what a laboratory wrote: give the phrase with --phrase"]
        )
    concept, kind, meaning = _concept(asked.means, catalogue)
    same = phrase.replace("-", " ")
    for word in catalogue.words():
        if word.phrase.replace("-", " ") == same:
            raise MappingError([f"{phrase!r} is known already: {word.row.code}"])
    return (NewPhrase(phrase, concept, kind, meaning, asked.language),)


def _concept(means: str, catalogue: Catalogue) -> tuple[str, str, str]:
    """Find the code of her2-word, by itself or by a meaning that only one has."""
    known = {(word.row.code, word.kind.value, word.meaning) for word in catalogue.words()}
    found = sorted(one for one in known if means == one[0])
    found = found or sorted(one for one in known if means == one[2] and _tells(one[1]))
    if len(found) == 1:
        return found[0]
    choice = ", ".join(sorted(one[0] for one in found or known))
    raise MappingError([f"{means!r} names no one code of her2-word: it may be one of {choice}"])


def _tells(kind: str) -> bool:
    """Whether words of this kind have a meaning beyond their kind."""
    return WordKind(kind) in MEANINGS


def _name(asked: Asked, catalogue: Catalogue) -> tuple[Addition, ...]:
    name, canonical = asked.system.strip(), catalogue.canonical_system(asked.means)
    if not name:
        raise MappingError(["a code sent without its code system cannot be given one here"])
    if canonical not in _systems(catalogue):
        raise MappingError(
            [
                f"{asked.means!r} is no known code system; known are {', '.join(sorted(_systems(catalogue)))}"
            ]
        )
    known = catalogue.canonical_system(name)
    if known in _systems(catalogue):
        raise MappingError([f"{name} is known already as a name of {known}"])
    return (NewName(name, canonical),)


def _coding(asked: Asked, catalogue: Catalogue) -> tuple[str, str]:
    system, code = catalogue.canonical_system(asked.system), asked.code.strip()
    if not code:
        raise MappingError(
            [
                "there is no code to map; where a text was not understood, give a phrase with --phrase"
            ]
        )
    if not system:
        raise MappingError(
            [f"{code} was sent without its code system, and means something only in its own"]
        )
    return system, code


def _systems(catalogue: Catalogue) -> frozenset[str]:
    """Give the canonical urls of the known code systems."""
    return frozenset(catalogue.names.exact.values()) | frozenset(catalogue.names.forms)

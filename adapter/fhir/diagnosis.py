"""What the words of a diagnosis, or of a sample's name, say of the tumour's site.

A denial reaches what stands right behind it: "no DCIS", "not gastric", "ohne invasiven Anteil". "Not otherwise
specified" and "no special type" deny nothing. Where it cannot be told what a denial reaches, or another tumour
is only suspected, excluded or remembered, breast and another tumour are named together: a person decides.

Source: rules text, Which results count, 7 [P].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir.text.clause import IN_SITU
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.her2.model import SampleKind
from adapter.terminology.vocabulary import WordKind

BREAST: Final = "breast"
OTHER: Final = "other"
ORGAN: Final = "organ"
"""An organ in which another primary arises and breast cancer spreads; it does not say which of them it is."""
INVASIVE: Final = "invasive"
_PLACE: Final = "place"
_FEATURE: Final = "feature"
_METASTASIS: Final = "metastasis"
_BARE_IN_SITU: Final = "bare in situ"
_CONTRADICTORY: Final = frozenset({BREAST, OTHER})
_LONGEST_STAGE: Final = 2
"""Letters tight before the number of a grade or a stage: "G2", "pT1", "pN0"."""


@dataclass(frozen=True)
class TumourWords:
    """What one text says. `found`: BREAST, OTHER, IN_SITU, ORGAN, INVASIVE, of the text as a whole.

    `denied`: what a denial stands before. `is_understood`: no word is unknown, and nothing is left open. `is_open`:
    another tumour is named, and whether it is denied cannot be told.
    """

    found: frozenset[str]
    denied: frozenset[str]
    is_understood: bool
    is_open: bool


def tumour_words(tokens: Sequence[Token]) -> TumourWords:
    """Read a diagnosis, or the name of a sample or a test, already cut into tokens."""
    return _Reader(tokens).read()


@dataclass
class _Reader:
    """Reads a text clause by clause.

    `unreached`: a denial stands there, and of what is not known. `doubted`: something is suspected, excluded or past.
    """

    tokens: Sequence[Token]
    named: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    unreached: bool = False
    doubted: bool = False

    def read(self) -> TumourWords:
        for clause in _clauses(self.tokens):
            self._clause(clause)
        if any(token.is_word(WordKind.ASSAY, WordKind.HER2) for token in self.tokens):
            self.named -= {_BARE_IN_SITU}  # in situ hybridisation
        if _BARE_IN_SITU in self.named:
            self.named |= {IN_SITU}
        is_unsure = self.unreached or self.doubted
        return TumourWords(
            found=self._found(is_unsure=is_unsure),
            denied=frozenset(self.denied),
            is_understood=not is_unsure and not any(self._unknown()),
            is_open=is_unsure and bool({OTHER, IN_SITU} & self.named or OTHER in self.denied),
        )

    def _clause(self, clause: Sequence[Token]) -> None:
        named: set[str] = set()
        is_denying = has_reached = is_reached = unreached = doubted = False
        for token in clause:
            if _is(token, "denial") or token.is_word(WordKind.NEGATION):
                unreached |= is_denying and not is_reached
                is_denying, is_reached = True, False
            elif _is(token, "attribute") or _is_state(token):
                continue
            elif is_denying and (_is(token, _PLACE) or _is(token, _FEATURE)):
                is_reached = True  # "no liver metastasis"
            elif has_reached and _is(token, "alternative"):
                is_denying, is_reached = True, False
                continue
            elif is_denying:
                meant = _meant(token)
                if not is_reached or _METASTASIS in meant:
                    self.denied |= meant
                    unreached |= not meant
                else:
                    named |= meant
                is_denying, has_reached = False, bool(meant)
                continue
            else:
                named |= _meant(token)
                doubted |= _is_doubt(token)
                unreached |= _is_absence(token)
            has_reached = False
        unreached |= is_denying and not is_reached
        self.unreached |= unreached
        self.doubted |= doubted
        if unreached:
            named -= {BREAST, INVASIVE}
        if doubted:
            named -= {INVASIVE}
        self.named |= named

    def _found(self, *, is_unsure: bool) -> frozenset[str]:
        named, denied = self.named, self.denied
        is_only_in_situ = IN_SITU in named and INVASIVE in denied
        if (
            BREAST in denied
            or (INVASIVE in denied and (INVASIVE in named or IN_SITU not in named))
            or (is_unsure and OTHER in named | denied)
            or (self.unreached and IN_SITU in named)
            or (self.doubted and IN_SITU in named and INVASIVE not in named)
        ):
            return _CONTRADICTORY
        found = named & {BREAST, OTHER, INVASIVE}
        if OTHER in named and _METASTASIS in named:
            found |= {BREAST}  # "gastric metastasis" may be of the stomach or in it
        if is_only_in_situ:
            found = (found - {BREAST}) | {IN_SITU}
        elif IN_SITU in named and INVASIVE not in named:
            # beside "breast" it does not say whether a part is invasive
            found |= {IN_SITU, OTHER} if BREAST in named else {IN_SITU}
        if ORGAN in named and not found & _CONTRADICTORY and _METASTASIS not in named:
            found |= {ORGAN}
        return frozenset(found)

    def _unknown(self) -> Iterator[bool]:
        following = (*self.tokens[1:], None)
        for token, behind in zip(self.tokens, following, strict=False):
            is_stage = (
                len(token.text) <= _LONGEST_STAGE
                and behind is not None
                and behind.kind is TokenKind.NUMBER
                and behind.glued
            )
            yield token.kind is TokenKind.UNKNOWN and not is_stage


def is_of_breast(tokens: Sequence[Token]) -> bool | None:
    """Tell whether the name of a sample is of the breast, or of another organ; None where it names none, or both."""
    named = {
        token.is_word(WordKind.SITE_BREAST)
        for token in tokens
        if token.is_word(WordKind.SITE_BREAST)
        or (token.is_word(WordKind.SITE_OTHER) and token.meaning != IN_SITU)
        or _is(token, _PLACE)
        or _is(token, ORGAN)
    }
    return named.pop() if len(named) == 1 else None


def _clauses(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    clause: list[Token] = []
    for token in tokens:
        if token.kind is TokenKind.SIGN:
            yield clause
            clause = []
        else:
            clause.append(token)
    yield clause


def _is(token: Token, meaning: str) -> bool:
    return token.is_word(WordKind.DIAGNOSIS) and token.meaning == meaning


def _is_state(token: Token) -> bool:
    """Whether a word says which tumour of the kind is spoken of, and not what kind: primary, residual."""
    states = (SampleKind.PRIMARY.value, SampleKind.RESIDUAL.value)
    return token.is_word(WordKind.SAMPLE_KIND) and token.meaning in states


def _meant(token: Token) -> set[str]:
    """Say what a word names: a site, in situ, invasive, metastasis; nothing for all others."""
    match token.word.kind if token.word else None:
        case WordKind.SITE_BREAST:
            return {BREAST, token.meaning}
        case WordKind.SITE_OTHER:
            return {IN_SITU} if token.meaning == IN_SITU else {OTHER}
        case WordKind.DIAGNOSIS if token.meaning == IN_SITU:
            return {_BARE_IN_SITU}
        case WordKind.FILLER | WordKind.DIAGNOSIS | WordKind.SAMPLE_KIND:
            return {token.meaning} & {ORGAN, INVASIVE, _METASTASIS}
        case _:
            return set()


def _is_doubt(token: Token) -> bool:
    is_doubtful = token.is_word(WordKind.UNSETTLING) and token.meaning == "doubtful"
    return is_doubtful or _is(token, "doubt") or token.text == "?"


def _is_absence(token: Token) -> bool:
    """Whether a word says that something was not found, or not looked for."""
    is_none = token.is_word(WordKind.PRESENCE, WordKind.STAINING) and token.meaning in (
        "negative",
        "none",
    )
    return is_none or token.is_word(WordKind.NOT_DONE)

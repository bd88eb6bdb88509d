"""Whether a note says that another tumour was scored: a carcinoma in situ, or one outside the breast.

A note names many tumours, and most of them change nothing: "DCIS also present, not scored", "gastric control",
"history of colon cancer". Only where it says which tumour the result is of ("scored on DCIS"), that there is no
other one ("DCIS only", "no invasive carcinoma"), or nothing but another primary ("gastric primary"), a person decides.

Source: rules text, Which results count, 7 and 10 [P]; ASCO/CAP 2018, the invasive component is scored [G].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from adapter.fhir.diagnosis import BREAST, INVASIVE, ORGAN, OTHER, tumour_words
from adapter.fhir.terms import Terms, holds
from adapter.fhir.text.clause import IN_SITU
from adapter.fhir.text.remarks import SENTENCE_END
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.her2.model import SampleKind
from adapter.terminology.vocabulary import WordKind

_OF_NO_RESULT: Final = (WordKind.NEGATION, WordKind.NOT_DONE, WordKind.RECOMMENDATION)
_NEUTRAL: Final = (
    *(WordKind.FILLER, WordKind.COPULA, WordKind.EXTENT, WordKind.HER2, WordKind.ASSAY),
    *(WordKind.METHOD, WordKind.SAMPLE_KIND),
)
_SIGNS_OF_MEANINGS: Final = {
    "only": "o",
    "scored-on": "s",
    IN_SITU: "i",
    INVASIVE: "v",
    "denial": "n",
    "attribute": "-",
    "qualifier": "-",
}
_ONLY_IN_SITU: Final = re.compile(r"o-*i|i-*o(?=\.|\Z)")
_SCORED_ON: Final = re.compile(r"\A[-.o]*s-*[it]")
"""A sentence as one letter for each token (`_letter`): "HER2 scored on the DCIS component" is "-s-i"."""


def is_of_another_tumour(notes: Iterable[str], terms: Terms) -> bool:
    """Tell whether notes on a result or its specimen say that another tumour was scored.

    Args:
        notes: as the laboratory wrote them.
        terms: the vocabulary.

    """
    cut = (terms.tokens_of_diagnosis(part) for note in notes for part in SENTENCE_END.split(note))
    said = [tokens for tokens in cut if tokens and not _is_of_another_marker(tokens)]
    is_invasive = any(INVASIVE in tumour_words(tokens).found for tokens in said)
    return any(
        _names_what_was_scored(tokens)
        or _names_another_primary(tokens)
        or (not is_invasive and _leaves_no_invasive_part(tokens))
        for tokens in said
    )


def _is_of_another_marker(tokens: Sequence[Token]) -> bool:
    return holds(tokens, WordKind.OTHER_ANALYTE) and not holds(tokens, WordKind.HER2)


def _names_what_was_scored(tokens: Sequence[Token]) -> bool:
    """Whether a sentence says that it was scored on another tumour: "HER2 result refers to DCIS"."""
    is_invasive = INVASIVE in tumour_words(tokens).found
    return not is_invasive and bool(_SCORED_ON.match("".join(map(_letter, tokens))))


def _leaves_no_invasive_part(tokens: Sequence[Token]) -> bool:
    """Whether a sentence says that there is carcinoma in situ only, or no invasive carcinoma; not in a lymph node."""
    words = tumour_words(tokens)
    if _ONLY_IN_SITU.search("".join(map(_letter, tokens))):
        return True
    if INVASIVE not in words.denied:
        return False
    is_elsewhere = any(_means(token, "place") or _means(token, "feature") for token in tokens)
    return IN_SITU in words.found or (words.is_understood and not is_elsewhere)


def _names_another_primary(tokens: Sequence[Token]) -> bool:
    """Whether a sentence names another primary and nothing else; a year beside it is one of history."""
    words = tumour_words(tokens)
    if holds(tokens, *_OF_NO_RESULT) or not words.is_understood or BREAST in words.found:
        return False
    if holds(tokens, WordKind.RESULT, WordKind.PRESENCE) and not holds(tokens, WordKind.HER2):
        return False  # "gastric biopsy negative"
    if any(token.kind is TokenKind.NUMBER and not token.glued for token in tokens):
        return False
    is_primary = any(
        token.is_word(WordKind.SAMPLE_KIND) and token.meaning == SampleKind.PRIMARY
        for token in tokens
    )
    is_other = any(_letter(token) == "t" for token in tokens)
    return (is_other and OTHER in words.found) or (is_primary and ORGAN in words.found)


def _letter(token: Token) -> str:
    """Give what a token is here as one letter; "u" for what is not understood, "x" for all else."""
    if token.kind is TokenKind.SIGN:
        return "."
    if token.is_word(WordKind.SITE_OTHER):
        return "i" if token.meaning == IN_SITU else "t"
    if token.is_word(WordKind.NEGATION, WordKind.NOT_DONE):
        return "n"
    if token.is_word(WordKind.DIAGNOSIS, WordKind.FILLER, WordKind.SITE_BREAST):
        fallen = "-" if token.is_word(WordKind.FILLER) else "x"
        return _SIGNS_OF_MEANINGS.get(token.meaning, fallen)
    if token.is_word(*_NEUTRAL):
        return "-"
    return "u" if token.kind is TokenKind.UNKNOWN else "x"


def _means(token: Token, meaning: str) -> bool:
    return token.is_word(WordKind.DIAGNOSIS) and token.meaning == meaning

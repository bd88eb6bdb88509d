"""The vocabulary as the recogniser asks it: codes by the catalogue, words by its lexicon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from adapter.fhir.text.tokens import Lexicon, Token
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import WordKind

_OF_SAMPLES: Final = (WordKind.POSITION, WordKind.CONTROL)
NOT_OF_RESULTS: Final = (WordKind.DIAGNOSIS, *_OF_SAMPLES)
"""Words that no result and no test's name is read with."""
_MAX_SCANNED: Final = 20_000
"""Characters of a note or a name that are looked at for single words."""
MAX_KEPT: Final = 1000
"""Characters of a test's code and names that are kept in memory; what is longer is looked at each time."""


@dataclass(frozen=True, eq=False)
class Terms:
    """A catalogue and the lexicon of its words; build it with `Terms.of`, which keeps it."""

    catalogue: Catalogue
    lexicon: Lexicon
    names: Lexicon
    """Only the names of HER2: "HER2 copies" is one word of the vocabulary, and holds one."""

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, catalogue: Catalogue) -> Terms:
        """Make, or find again, the terms of a catalogue."""
        words = catalogue.words()
        names = (word for word in words if word.kind is WordKind.HER2)
        read = (word for word in words if word.kind not in NOT_OF_RESULTS)
        return cls(catalogue, Lexicon.of(read), Lexicon.of(names))

    def tokens(self, text: str) -> tuple[Token, ...]:
        """Cut a text into tokens, for looking at single words."""
        return self.lexicon.tokens(text[:_MAX_SCANNED])

    def tokens_of_diagnosis(self, text: str) -> tuple[Token, ...]:
        """Cut a diagnosis, or the name of a sample or a body site, into tokens."""
        return self._diagnoses.tokens(text[:_MAX_SCANNED])

    @cached_property
    def _diagnoses(self) -> Lexicon:
        """Hold all words, those of diagnoses too, which no result and no test's name is read with."""
        return Lexicon.of(word for word in self.catalogue.words() if word.kind not in _OF_SAMPLES)

    def tokens_of_sample(self, text: str) -> tuple[Token, ...]:
        """Cut the name of a sample or a site into tokens; only words for positions and controls are known."""
        return self._samples.tokens(text[:_MAX_SCANNED])

    @cached_property
    def _samples(self) -> Lexicon:
        return Lexicon.of(word for word in self.catalogue.words() if word.kind in _OF_SAMPLES)

    def names_her2(self, text: str) -> bool:
        """Tell whether HER2 is named anywhere in a text, also inside a longer phrase or word ("Her2status")."""
        tokens = self.names.tokens(text[:_MAX_SCANNED], may_cut=True)
        return holds(tokens, WordKind.HER2)

    def test_name(self, text: str) -> tuple[tuple[Token, ...], bool]:
        """Cut the name of a test into tokens, and tell whether it names HER2.

        Kept from call to call where it is short, since a laboratory has few names; for names of tests only,
        which are no patient's.
        """
        judge = _test_name if len(text) <= MAX_KEPT else _test_name.__wrapped__
        return judge(self, text)


def meanings(tokens: Iterable[Token], kind: WordKind) -> set[str]:
    """Collect what the words of one kind mean."""
    return {token.meaning for token in tokens if token.is_word(kind)}


def holds(tokens: Iterable[Token], *kinds: WordKind) -> bool:
    """Tell whether a word of one of these kinds is among the tokens."""
    return any(token.is_word(*kinds) for token in tokens)


@lru_cache(maxsize=1024)
def _test_name(terms: Terms, text: str) -> tuple[tuple[Token, ...], bool]:
    return terms.tokens(text), terms.names_her2(text)

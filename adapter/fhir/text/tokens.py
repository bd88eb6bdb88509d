"""Words of the vocabulary found in a text: the layer below `text`, which says what they mean.

A text is cut into atoms (a run of letters, a number, one sign) in one linear pass; then, at each
place, the longest phrase of the vocabulary wins. What is neither a phrase nor a number nor a sign
of the grammar is kept as UNKNOWN: it is never dropped, because a word that nobody understood may
turn the meaning round. Nothing is interpreted here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final

from adapter.her2.model import Assay
from adapter.terminology.vocabulary import Word, WordKind

_MAX_DIGITS: Final = 12
"""A longer run of digits is no result; it is an identifier, and stays unknown."""

_LINE_BREAK: Final = "\n"
_TURNS_MEANING: Final = (
    WordKind.RESULT,
    WordKind.EXPRESSION,
    WordKind.ISH_RESULT,
    WordKind.PRESENCE,
    WordKind.NOT_DONE,
    WordKind.NEGATION,
    WordKind.STAINING,
    WordKind.RECOMMENDATION,
)
"""Kinds of phrases of which a line must not show but a part."""
_ATOM: Final = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)*)"
    r"|(?P<sign><=|>=|=<|=>|[-+<>=%:;,.()\[\]/\n])"
    r"|(?P<letters>[\u3400-\u9fff]|[^\W\d_\u3400-\u9fff]+)"  # Chinese is written without blanks
    r"|(?P<blank>[^\S\n]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SCORES: Final = tuple([grade, "+"] for grade in "0123")
_CHINESE: Final = re.compile("[\u3400-\u9fff]")
_SAME_SIGN: Final = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
    | {"≥": ">=", "≤": "<=", "⩾": ">=", "⩽": "<=", "’": "'", "\r": "\n", "_": " "}
    | dict.fromkeys("\u00ad\u200b", "")
)


class TokenKind(Enum):
    """What a token is: a known phrase, a number, a sign of the grammar, or nothing known."""

    WORD = "word"
    NUMBER = "number"
    SIGN = "sign"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Token:
    """One token; `word` for WORD, `value` for NUMBER; `glued`: no blank before it."""

    kind: TokenKind
    text: str
    word: Word | None = None
    value: Decimal | None = None
    glued: bool = False

    def is_sign(self, *signs: str) -> bool:
        """Whether this is one of these signs."""
        return self.kind is TokenKind.SIGN and self.text in signs

    def is_word(self, *kinds: WordKind) -> bool:
        """Whether this is a phrase of one of these kinds."""
        return self.word is not None and self.word.kind in kinds

    @property
    def meaning(self) -> str:
        """The phrase's meaning, "" for everything else."""
        return self.word.meaning if self.word else ""


@dataclass(frozen=True)
class _Atom:
    group: str
    text: str
    glued: bool


Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """The vocabulary, ready to be found in texts.

    First atom of a phrase → (length, phrases of that length), longest first: a place in a text costs one
    look-up for each length that phrases beginning there have, however many they are.
    """

    _phrases: dict[str, tuple[tuple[int, dict[Phrase, Word | None]], ...]] = field(repr=False)

    @classmethod
    def of(cls, words: Iterable[Word]) -> Lexicon:
        """Build from the vocabulary's words.

        A phrase that is listed with two meanings is known as a phrase and understood as nothing: a
        text that holds it is not understood, whichever row came first. Phrases of digits and signs
        alone ("2+", "0-1+") are left to the grammar, which also knows 0 % and 2.1.
        """
        meanings: dict[Phrase, list[Word]] = {}
        for word in words:
            if parts := _parts(word.phrase):
                meanings.setdefault(parts, []).append(word)
        by_first: dict[str, dict[int, dict[Phrase, Word | None]]] = {}
        for phrase, listed in meanings.items():
            one = len({(word.kind, word.meaning) for word in listed}) == 1
            of_length = by_first.setdefault(phrase[0], {}).setdefault(len(phrase), {})
            of_length[phrase] = listed[0] if one else None
        return cls(
            {first: tuple(sorted(by_first[first].items(), reverse=True)) for first in by_first}
        )

    def tokens(self, text: str, *, may_cut: bool = False) -> tuple[Token, ...]:
        """Cut a text into tokens, in time linear in its length; all of it but blanks is kept.

        `may_cut`: a phrase is also found at the beginning of a longer word.
        """
        atoms = _atoms(text)
        found: list[Token] = []
        position = 0
        while position < len(atoms):
            length, token = self._token_at(atoms, position, may_cut=may_cut)
            found.append(token)
            position += length
        return tuple(found)

    def _token_at(self, atoms: list[_Atom], position: int, *, may_cut: bool) -> tuple[int, Token]:
        atom = atoms[position]
        for length, phrases in self._phrases.get(atom.text, ()):
            near = tuple([part.text for part in atoms[position : position + length]])
            if near not in phrases:
                if _LINE_BREAK in near and _is_broken(atoms, position, length, phrases):
                    return 1, Token(TokenKind.UNKNOWN, atom.text, glued=atom.glued)
                continue
            word = phrases[near]
            if not may_cut and _cuts_word(atoms, position + length, word):
                continue
            kind = TokenKind.WORD if word else TokenKind.UNKNOWN
            return length, Token(kind, " ".join(near), word=word, glued=atom.glued)
        if atom.group == "number" and (value := _number(atom.text)) is not None:
            return 1, Token(TokenKind.NUMBER, atom.text, value=value, glued=atom.glued)
        kind = TokenKind.SIGN if atom.group == "sign" else TokenKind.UNKNOWN
        return 1, Token(kind, atom.text, glued=atom.glued)


def _is_broken(
    atoms: list[_Atom], position: int, length: int, phrases: dict[Phrase, Word | None]
) -> bool:
    """Whether a line break cuts a phrase: "no amplification", then "result", is not even its first half."""
    ahead = [atom.text for atom in atoms[position : position + 2 * length]]
    whole = tuple([text for text in ahead if text != _LINE_BREAK][:length])
    word = phrases.get(whole)
    return word is not None and word.kind in _TURNS_MEANING


def _cuts_word(atoms: list[_Atom], end: int, word: Word | None) -> bool:
    """Whether a phrase that ends here would cut a word such as "er2", or "+++", in two."""
    if word is not None and word.meaning == Assay.IHC.value and _is_score(atoms, end):
        return False
    if end >= len(atoms) or not atoms[end].glued:
        return False
    if atoms[end - 1].text == atoms[end].text == "+":
        return True
    if any(_CHINESE.fullmatch(atoms[place].text) for place in (end - 1, end)):
        return False  # written without blanks: no word goes on here
    return {atoms[end - 1].group, atoms[end].group} == {"letters", "number"}


def _is_score(atoms: list[_Atom], start: int) -> bool:
    """Whether a score in one piece begins here: the "3+" of "IHC3+"; a block "IHC3" is none."""
    near = [atom.text for atom in atoms[start : start + 2]]
    return near in _SCORES and atoms[start + 1].glued


@lru_cache(maxsize=16_384)
def _parts(phrase: str) -> Phrase:
    """Cut a phrase of the vocabulary; empty when it is left to the grammar. Several lexicons hold the same phrase."""
    atoms = _atoms(phrase)
    groups = {atom.group for atom in atoms}
    if "number" in groups and "letters" not in groups:
        return ()
    return tuple([atom.text for atom in atoms])


def _atoms(text: str) -> list[_Atom]:
    normal = unicodedata.normalize("NFC", text).translate(_SAME_SIGN).casefold()
    atoms: list[_Atom] = []
    glued = False
    for match in _ATOM.finditer(normal):
        group, part = match.lastgroup or "other", match.group()
        if group == "blank":
            glued = False
            continue
        if part in ("=<", "=>"):
            part = "<=" if part == "=<" else ">="
        atoms.append(_Atom(group, part, glued))
        glued = part != "\n"
    return _without_joining_hyphens(atoms)


def _without_joining_hyphens(atoms: list[_Atom]) -> list[_Atom]:
    """Read "non-amplified" as "non amplified", "HER-2" as "HER 2"; between digits it is a range."""
    kept: list[_Atom] = []
    joined = False
    for index, atom in enumerate(atoms):
        if atom.text == "-" and 0 < index < len(atoms) - 1 and atom.glued:
            groups = {atoms[index - 1].group, atoms[index + 1].group}
            if atoms[index + 1].glued and "letters" in groups and groups <= {"letters", "number"}:
                joined = True
                continue
        kept.append(_Atom(atom.group, atom.text, atom.glued and not joined))
        joined = False
    return kept


def _number(text: str) -> Decimal | None:
    """Read "1.80" and "1,80"; None where a comma may part thousands, or it is no number at all."""
    if len(text) > _MAX_DIGITS or text.count(".") + text.count(",") > 1:
        return None
    if text.startswith("0") and text[1:2].isdigit():
        return None  # "03" is a date, a block or a code
    whole, comma, fraction = text.partition(",")
    if comma and len(fraction) == 3:
        return None
    return Decimal(f"{whole}.{fraction}" if comma else text)

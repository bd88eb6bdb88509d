"""Ways to spoil a real result text: what typists, interfaces, templates and copied reports do to it."""
# ruff: noqa: E501  # lists of pieces, not prose

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from random import Random

from tests.unit.fhir.text_forms import FORMS

TEXTS = tuple(dict.fromkeys(form.text for form in FORMS))

NEGATIONS = (
    "not",
    "no",
    "non",
    "nicht",
    "kein",
    "keine",
    "pas",
    "sans",
    "without",
    "never",
    "neither",
    "nor",
    "sin",
    "sem",
    "não",
    "niet",
    "geen",
    "nao",
    "senza",
    "absent",
    "lack of",
    "rule out",
    "denies",
    "n't",
    "un",
    "without evidence of",
    "不",
    "未",
    "无",
    "ruled out",
    "excluded",
    "kein Nachweis von",
)
MARKERS = (
    "ER",
    "PR",
    "Ki-67",
    "ER 3+",
    "PR 90%",
    "Ki67 30%",
    "HER3",
    "EGFR",
    "PD-L1",
    "AR",
    "p53 3+",
    "ER positive",
    "PR negative",
    "IRS 8",
    "Allred 8/8",
    "GATA3",
    "E-cadherin",
    "Östrogenrezeptor",
    "RO",
    "TOP2A amplified",
)
NUMBERS = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "8",
    "10",
    "12",
    "100",
    "1.4",
    "2.0",
    "2.2",
    "5.9",
    "6.0",
    "0.5",
    "1,4",
    "3/3",
    "1:1",
    "2/8",
    "-1",
    "1e3",
    "0.0",
    "٣",
    "²",
    "½",
    "③",
    "III",
    "3+",
    "1+",
    "2+",
    "0+",
)
UNITS = (
    "%",
    "% of cells",
    "/cell",
    "per cell",
    "copies/cell",
    "ratio",
    "CN 5.1",
    "CEP17 2.0",
    "cm",
    "mm",
    "IU/mL",
    "x",
)
COMPARATORS = (
    "<",
    ">",
    "<=",
    ">=",
    "≥",
    "≤",
    "~",
    "=",
    "<>",
    "up to",
    "at least",
    "less than",
    "greater than",
    "≈",
    "±",
)
BRACKETS = ("(", ")", "[", "]", "{", "}", "((", "))", "「", "」", "<", ">", '"', "'", "“", "*")
DOUBTS = (
    "?",
    "probably",
    "possible",
    "suspicious for",
    "cannot exclude",
    "vs",
    "or",
    "likely",
    "see comment",
    "unless",
    "if",
    "control",
    "previously",
    "prior",
    "history of",
    "before therapy",
    "amended",
    "formerly",
    "criteria:",
    "consistent with",
    "example",
    "e.g.",
    "target",
    "goal",
    "family",
    "repeat",
    "DCIS",
    "in situ component",
    "lymph node",
    "left",
    "right",
    "gastric",
    "only",
    "weakly",
    "partially",
    "almost",
    "mother",
    "result",
    "status",
    "test",
    "assay",
    "expected",
)
WORDS = (
    "positive",
    "negative",
    "equivocal",
    "low",
    "ultralow",
    "amplified",
    "detected",
    "amplification",
    "IHC",
    "FISH",
    "ISH",
    "HER2",
    "score",
    "outside",
    "pending",
    "recommended",
    "overexpressed",
    "overexpression",
    "negativ",
    "positiv",
    "négatif",
    "amplifié",
    "amplificado",
    "amplifiziert",
    "negativo",
    "positivo",
    "schwach",
    "faible",
    "bajo",
    "high",
    "strong",
    "complete",
    "incomplete",
    "staining",
    "faint",
    "cells",
    "of",
    "in",
    "and",
    "by",
    "the",
    "with",
    "und",
    "et",
    "y",
    "e",
    "is",
    "was",
    "not performed",
    "nicht durchgeführt",
    "indeterminate",
    "group 5",
    "single probe",
    "dual probe",
    "CEP17",
)
MARKS = ("\u200b", "\u200d", "\u200e", "\u200f", "\u202e", "\u202c", "\ufeff", "\u00ad", "\u0301", "\u0308", "\u0336",
         "\u0338", "\u20e0", "\n", "\r\n", "\t", "\x00", "\x1b", "\u2028", "\u00a0", "\ufffd", "\U0001f600", "\u2067")  # fmt: skip
INSERTED = {
    "negation": NEGATIONS,
    "marker": MARKERS,
    "number": NUMBERS,
    "unit": UNITS,
    "comparator": COMPARATORS,
    "bracket": BRACKETS,
    "doubt": DOUBTS,
    "word": WORDS,
}
ALPHABET = "0123+-+/%()[].,;:=<>~ \nabcdeinoprtvHER2§äéç"
JOINTS = (" ", ", ", "; ", "\n", ". ", " / ", " (", ") ", " - ", ": ", " and ", "")


def _insert_piece(text: str, random: Random) -> str:
    words = text.split(" ")
    piece = random.choice(INSERTED[random.choice(tuple(INSERTED))])
    words.insert(random.randint(0, len(words)), piece)
    return " ".join(words)


def _glue_piece(text: str, random: Random) -> str:
    place = random.randint(0, len(text))
    piece = random.choice(INSERTED[random.choice(tuple(INSERTED))])
    return text[:place] + piece + text[place:]


def _insert_mark(text: str, random: Random) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(MARKS) + text[place:]


def _insert_character(text: str, random: Random) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(ALPHABET) + text[place:]


def _delete_character(text: str, random: Random) -> str:
    place = random.randrange(len(text)) if text else 0
    return text[:place] + text[place + 1 :]


def _replace_character(text: str, random: Random) -> str:
    place = random.randrange(len(text)) if text else 0
    return text[:place] + random.choice(ALPHABET) + text[place + 1 :]


def _swap_characters(text: str, random: Random) -> str:
    place = random.randrange(len(text)) if text else 0
    return text[:place] + text[place + 1 : place + 2] + text[place : place + 1] + text[place + 2 :]


def _delete_word(text: str, random: Random) -> str:
    words = text.split(" ")
    del words[random.randrange(len(words))]
    return " ".join(words)


def _swap_words(text: str, random: Random) -> str:
    words = text.split(" ")
    one, other = random.randrange(len(words)), random.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def _join(text: str, random: Random) -> str:
    other = random.choice(TEXTS)
    pair = (text, other) if random.random() < 0.5 else (other, text)
    return random.choice(JOINTS).join(pair)


def _another_laboratory(text: str, random: Random) -> str:
    return f"{text} ({random.choice(('outside ', 'OSH ', 'prior ', ''))}{random.choice(TEXTS)})"


def _cut(text: str, random: Random) -> str:
    place = random.randint(0, len(text))
    return text[:place] if random.random() < 0.5 else text[place:]


def _widen(text: str, random: Random) -> str:
    wide = [chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and random.random() < 0.5 else c for c in text]
    return "".join(wide)


def _recase(text: str, random: Random) -> str:
    return random.choice((str.upper, str.lower, str.title, str.swapcase))(text)


def _recompose(text: str, random: Random) -> str:
    return unicodedata.normalize("NFD" if random.random() < 0.5 else "NFC", text)


def _repeat(text: str, random: Random) -> str:
    return random.choice(JOINTS).join([text] * random.randint(2, 4))


MUTATIONS: tuple[Callable[[str, Random], str], ...] = (
    _insert_piece, _insert_piece, _insert_piece, _insert_piece, _glue_piece, _insert_mark, _insert_character,
    _delete_character, _replace_character, _swap_characters, _delete_word, _swap_words, _join, _another_laboratory,
    _cut, _widen, _recase, _recompose, _repeat,
)  # fmt: skip


def mutated(random: Random) -> str:
    """A real form, spoilt one to three times."""
    text = random.choice(TEXTS)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
        text = random.choice(MUTATIONS)(text, random)
    return text


def salad(random: Random) -> str:
    """Words, scores and marks of all kinds in any order."""
    kinds = (
        WORDS,
        WORDS,
        WORDS,
        NUMBERS,
        NEGATIONS,
        UNITS,
        BRACKETS,
        COMPARATORS,
        (",", ";", ":", "."),
    )
    return " ".join(random.choice(random.choice(kinds)) for _ in range(random.randint(1, 6)))


def any_characters(random: Random) -> str:
    """Characters of any plane, control characters among them, never half a surrogate pair."""
    return "".join(_any_character(random) for _ in range(random.randint(0, 30)))


def _any_character(random: Random) -> str:
    top = random.choice((0x7F, 0x7F, 0x250, 0x3000, 0xFFFF, 0x10FFFF))
    code = random.randint(0, top)
    return chr(code) if not 0xD800 <= code <= 0xDFFF else "\ufffd"


PATTERNS = (
    "(", ")", "[", "+", "1+-", "0-", "1+ ", "3+(", "not ", "no ", "nicht ", "1.", "1,", "9", "0", "%", "< ", ">=", "HER2 ",
    "HER2/", "her2:", "neu/", "positive ", "positive, ", "negative;", "not positive ", "amplified ", "not amplified ",
    "FISH ", "IHC: ", "FISH/", "ratio ", "ratio 1.", "CN ", "in 10% of ", "10% ", "-", " - ", ".", ";", ", ", ": ", "\n", " ",
    "\t", "\u200b", "\u0301", "e\u0301", "ﷺ", "\u00a0", "score ", "score:", "0/1+/2+/3+ ", "complete ", "faint incomplete ",
    "outside ", "pending ", "a", "é", "不", "未见", "1-2+", "a1", "copies/cell ", "\U0001f600", "2+ (", "1:1:", "½", "HER2-",
)  # fmt: skip
LENGTH = 20_000


def long_text(random: Random) -> str:
    """One pattern over and over, up to 20,000 characters, sometimes around a real form."""
    pattern = random.choice(PATTERNS)
    made = (pattern * (random.choice((50, 300, 2_000, LENGTH)) // len(pattern)))[:LENGTH]
    real = random.choice(TEXTS) if random.random() < 0.5 else ""
    return random.choice(
        (made + real, real + made, real[: len(real) // 2] + made + real[len(real) // 2 :])
    )

"""The second text reader's scanner: a text as whole phrases from left to right, with nothing left over."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from tests.unit.fhir import second_text_words as known


class Unread(Exception):
    """The text, or a part of it, is not understood, or contradicts itself."""


# --- Characters ------------------------------------------------------------------------------------------------------

INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u061c\ufe0e\ufe0f\u034f")
DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")
ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327\u0328")
PLAIN = {
    "\u2265": ">=",
    "\u2264": "<=",
    "\u207a": "+",
    "\u2019": "'",
    "\u2018": "'",
    "\u00df": "ss",
}
PLAIN |= dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u3001", " ") | {"\u3002": "."}


def plain(text: str) -> str:
    """Small letters without accents, one kind of dash and blank; refuses what cannot be read at sight."""
    made: list[str] = []
    for mark in unicodedata.normalize("NFD", "".join(m for m in text if m not in INVISIBLE)):
        if mark in ACCENTS:
            if not made or not made[-1][-1:].isalpha():
                raise Unread(f"accent on {made[-1:]}")
        else:
            made.append(_plain(mark))
    shown = re.sub(r" ?\n ?", "\n", re.sub(r" +", " ", "".join(made))).strip()
    return re.sub(r"(?<=[\u4e00-\u9fff])[ -](?=[\u4e00-\u9fff])", "", shown)


def _plain(mark: str) -> str:
    kind = unicodedata.category(mark)
    if mark in PLAIN:
        return PLAIN[mark]
    if mark in DASHES:
        return "-"
    if mark in "\n\r":
        return "\n"
    if mark in "\t\x0b\x0c\x1c\x1d\x1e\x1f\x85" or kind in ("Zs", "Zl", "Zp"):
        return " "
    if "\uff01" <= mark <= "\uff5e":
        return chr(ord(mark) - 0xFEE0).lower()
    if mark.isascii() and mark.isprintable():
        return mark.lower()
    if kind == "Nd":
        return str(unicodedata.decimal(mark))
    if "\u4e00" <= mark <= "\u9fff":
        return mark
    raise Unread(f"character {mark!r}")


# --- Phrases ---------------------------------------------------------------------------------------------------------

NUMBER = r"\d{1,4}(?:[.,]\d{1,4})?"
COMPARED = (
    r"(?:>=|=>|<=|=<|>|<|greater than or equal to|less than or equal to|greater than|less than|more than|at least"
    r"|at most|up to)"
)
HER2 = rf"(?:{known.HER2})"
CEP = r"(?:cep[ -]?17|cen[ -]?17|chr ?17|chromosome 17|centromere 17|cromosoma 17|chromosom 17)"
OF = r"(?: (?:status|result|assay|test))?(?: ?[:=]| of| is| was| von| de| by)?[ \n-]?/?"
EACH = r"(?: ?(?:/|per|pro|par|por) ?(?:cell|nucleus|zelle|cellule|celula|nucleo|noyau))?"
COPIES = rf"(?:(?:mean|average|avg) )?(?:{HER2} ?)?(?:gene )?(?:copy[ -]number|copies|cn|signals){EACH}(?: {HER2})?"
RATIO = (
    rf"(?:{CEP} ratio|{HER2}[ \n]?[/:][ \n]?{CEP}(?: signal)? ?(?:ratio|quotient)?"
    rf"|(?:ratio|quotient|rapport|cociente|razao|rapporto|relacion)(?: (?:of )?{HER2} ?[/:] ?{CEP})?)"
)
TO_ONE = r" ?[:/] ?1(?:[.,]0+)?(?![a-z0-9+%/]|[.,]\d)"
NO_SHARE = r"(?! ?%)"
END = r"(?:(?<=[\u4e00-\u9fff])|(?![a-z0-9]))"
AFTER_PLUS = r"(?![0-9+%]|[./]\d)"


def number(name: str) -> str:
    """A number with an optional comparator, under a group name."""
    upper = rf"(?: ?(?:-|to|bis|a) ?(?P<{name}_to>{NUMBER}))?"
    return rf"(?:(?P<{name}_cmp>{COMPARED})[ -]?)?(?P<{name}>{NUMBER})(?![.,]?\d){upper}(?![.,]?\d)"


def listed(kind: str, phrases: str) -> tuple[str, str]:
    return kind, rf"(?:{known.phrases(phrases)}){END}"


DENIED = (
    rf"(?:{known.phrases(known.DENIALS)})(?: (?:{HER2}|staining|{known.phrases(known.FILLER)}))*[ \n-]"
    rf"(?:{known.phrases(known.ISH_WORDS['positive'])}){END}"
)
NEG, LOW, OR = r"neg(?:ativ(?:e|o|a)?)?", r"(?:ultra[ -]?)?low", rf" ?/ ?(?:{HER2}[ -]?)?"
PERCENT = (
    r"(?:(?:in|bei|dans|en|em|nel) )?(?:about |ca\. ?)?"
    + number("percent_of")
    + rf" ?%{known.CELLS}(?: ?(?:positiv[eo]?|pos))?(?![a-z0-9+%]|/\d)"
)
PATTERNS: tuple[tuple[str, str], ...] = (
    ("remark", rf"(?:{known.REMARK})(?![a-z0-9])"),
    (
        "cep17",
        rf"(?:mean |average )?{CEP}(?: copy number| copies| signals)?{EACH}{OF}"
        + number("cep17_of")
        + NO_SHARE,
    ),
    ("ratio", rf"{RATIO}{OF}" + number("ratio_of") + NO_SHARE + rf"(?:{TO_ONE})?"),
    ("copies", rf"(?:{COPIES}{OF}|{HER2}[- ]signale{EACH}{OF})" + number("copies_of") + NO_SHARE),
    (
        "copies2",
        number("copies2_of")
        + rf" ?(?:{HER2} )?(?:gene )?(?:copies|copy number|cn|signals|signale){EACH}(?![a-z])",
    ),
    ("ratio2", number("ratio2_of") + rf"(?:{TO_ONE}| ?ratio)"),
    ("counted", rf"{NUMBER} (?:cells|nuclei|zellen|cellules)(?: counted| scored)?(?![a-z])"),
    ("group", r"(?:ish )?(?:group|gruppe|groupe|grupo) ?(?P<group_of>[1-5])(?![\d+]|[.,]\d)"),
    ("probe", r"(?P<probe_of>single|dual)[- ](?:probe|color|colour)(?: assay)?(?![a-z])"),
    ("rationame", rf"{RATIO}(?![a-z0-9])"),
    ("copiesname", rf"(?:{COPIES})(?![a-z0-9/])"),
    ("percent", PERCENT),
    *(
        (f"stain_{name.replace('-', '_')}", rf"(?:{p})(?![a-z])")
        for name, p in known.STAINING.items()
    ),
    (
        "range",
        r"(?P<low>[0-3]) ?\+? ?(?:-|/|to|or|bis|oder|a|ou|o|tot|of) ?(?P<high>[0-3]) ?\+"
        + AFTER_PLUS,
    ),
    ("score", r"(?P<grade>[0-3]) ?\+" + AFTER_PLUS),
    ("turned", r"\+ ?(?P<turned_to>[1-3])(?![a-z0-9+%/.,]\w?)"),
    ("plusses", r"(?P<plus>\+ ?\+(?: ?\+)?)(?! ?[+\d])"),
    ("barerange", r"(?P<from>[0-2]) ?- ?(?P<upto>[1-3])(?![\d.,%+a-z/])"),
    ("minus", r"\( ?- ?\)"),
    ("either", rf"(?:{NEG}{OR}{LOW}|{LOW}{OR}{NEG}){END}"),
    ("ihc", rf"(?:{known.phrases(known.IHC_MARKS)})(?![a-z])"),
    listed("word_not_done", known.WORDS["not-done"]),
    *(listed(f"ishword_{word}", phrases) for word, phrases in known.ISH_WORDS.items()),
    ("denied", DENIED),
    *(
        listed(f"word_{word}", phrases)
        for word, phrases in sorted(known.WORDS.items())  # "overexpression: absent" before its noun
        if word != "not-done"
    ),
    listed("ish", known.ISH_MARKS),
    ("her2", rf"{HER2}(?P<sign>[-+](?=[ \n,;:.()\]/]|$))?(?![0-9+])"),
    listed("outside", known.OUTSIDE),
    ("label", rf"(?:{known.phrases(known.LABELS)})(?:(?![a-z0-9])|(?=[0-3]\+))"),
    listed("gene", known.GENE),
    (
        "stainword",
        r"(?:intens[aeo]?|strong|(?:in)?comple(?:et|t[aeo]?)|faint|weak|moderat[aeo])(?![a-z])",
    ),
    (
        "advice",
        r"(?:recommended|pending|requested|to follow|advised|ausstehend|empfohlen|en attente)(?![a-z])",
    ),
    ("side", r"(?:left|right)(?![a-z0-9])"),
    (
        "cells",
        r"(?:staining|membrane|marquage|farbung|(?:of )?(?:the )?(?:tumou?r )?cells?)(?![a-z0-9])",
    ),
    ("absent", r"(?:not detected|nicht nachgewiesen|none detected)(?![a-z])"),
    ("present", r"(?:is |was )?(?:detected|nachgewiesen)(?![a-z])"),
    listed("whole", known.WHOLE),
    listed("about", known.ABOUT),
    ("filler", rf"(?:{known.phrases(known.FILLER)}){END}|at(?! (?:least|most))(?![a-z])"),
    ("number", number("number_of") + r"(?![a-z0-9+%<>]|[.,/]\d)"),
    ("open", r"[(\[]"),
    ("close", r"[)\]]"),
    ("strong", r" - |[;\n,.]"),
    ("weak", r"[ :=/-]"),
)
_SCANNER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in PATTERNS))
_PUNCTUATION = ("weak", "open", "close", "strong", "filler", "counted")
_NOUN = re.compile(
    r"(?:amplificat(?:ion|ie)|amplifikation|amplificac(?:ion|ao)|amplificazione|\w*(?:expression|expresion|expressie|expressao|espressione)|staining|\w*farbung|null|tincion)$"
)
_IS_NOUN = re.compile(
    r"(?:no|not|kein|keine|pas|sin|sem|geen|absen\w+|ausencia|assenza|nessuna|without)\b|(?:over|ue?ber|sur|sobre|iper)"
)
_AFTER_NOUN = re.compile(
    r"[ -]*(?:results?|status|resultat|ergebnis|befund|score|assay|stain\b|method|test\b)"
)

_NAMES_A_SCORE = "|".join((known.phrases(known.IHC_MARKS), known.phrases(known.LABELS)))
_AFTER_METHOD = re.compile(rf"(?<![a-z])(?:{_NAMES_A_SCORE})$")  # "IHC3+", "score2+"


@dataclass(frozen=True)
class Piece:
    """One phrase that was taken, in which part of the text (parts end at brackets and strong marks) and bracket."""

    kind: str
    found: re.Match[str]
    part: int
    bracket: int


def scan(text: str) -> list[Piece]:
    """All phrases; raises where something is left over, or brackets do not match."""
    pieces: list[Piece] = []
    place = part = depth = bracket = 0
    while place < len(text):
        found = _SCANNER.match(text, place)
        if found is None or found.end() == place or _is_glued(text, place, found):
            raise Unread(f"left over: {text[place : place + 20]!r}")
        kind = found.lastgroup or ""
        _refuse_names_and_definitions(text, kind, found, pieces)
        depth += (kind == "open") - (kind == "close")
        bracket += kind == "open" and depth == 1
        part += kind in ("open", "close", "strong")
        if depth < 0 or depth > 9:
            raise Unread("brackets")
        if kind not in _PUNCTUATION:
            pieces.append(Piece(kind, found, part, bracket if depth else 0))
        place = found.end()
    if depth:
        raise Unread("brackets")
    return pieces


def _refuse_names_and_definitions(
    text: str, kind: str, found: re.Match[str], pieces: list[Piece]
) -> None:
    is_word = kind.startswith(("word", "ishword")) and kind != "word_not_done"
    if (
        is_word
        and _IS_NOUN.match(found.group())
        and _NOUN.search(found.group())
        and _AFTER_NOUN.match(text, found.end())
    ):
        raise Unread("a name of a test, not its result")
    stated = pieces[-1].found.groupdict() if pieces else {}
    is_bound = any(value is not None for name, value in stated.items() if name.endswith("_cmp"))
    if kind == "filler" and found.group() in ("is", "ist", "est", "es") and is_bound:
        raise Unread("a definition, not a result")


def _is_glued(text: str, place: int, found: re.Match[str]) -> bool:
    """A word or a number must not begin in the middle of another one, nor after a point that begins nothing."""
    before, first = text[place - 1 : place], found.group()[:1]
    if not before or not (first.isascii() and first.isalnum()):
        return False
    if first.isdigit():
        if found.lastgroup in ("score", "range") and _AFTER_METHOD.search(text[:place]):
            return False
        is_cut = before in ".," and text[: place - 1][-1:] in ("", " ", "\n")
        return is_cut or (before.isascii() and before.isalnum()) or before in "+<>%~"
    return before.isascii() and before.isalpha()

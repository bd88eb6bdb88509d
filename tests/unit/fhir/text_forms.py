"""HER2 result texts as laboratories really write them, each with its reading, written down by hand.

Source: the project's terminology survey, free-text value forms (MSK 2018 and TCGA clinical files, reports and note
generators, German, French, Spanish, Portuguese, Italian, Dutch and Chinese examples), and the rules for numbers.
One line is: what was asked, the category of this one text alone, the text. "undecided" stands for every answer
that is no definite category; such a line is a trap when it holds a score or a word that must not be taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.her2.model import Assay

UNDECIDED = "undecided"
DEFINITE = ("positive", "low", "ultralow", "negative", "negative-unspecified")

_SCORES = """
ihc | ultralow  | 0+
ihc | low       | 1+
ihc | undecided | 2+
ihc | positive  | 3+
ihc | negative  | 0
ihc | negative-unspecified | 0-1+
ihc | undecided | 1-2+
ihc | undecided | 2-3+
ihc | negative-unspecified | 0–1+
ihc | negative-unspecified | 0 to 1+
ihc | undecided | 1+ - 2+
ihc | low       | 1+ (focal)
ihc | undecided | 2+ (focal)
ihc | positive  | 3+ (outside)
ihc | undecided | 1+ (outside 3+)
ihc | undecided | 3+ (2+ outside)
ihc | positive  | 3+ (heterogenous 70-80% pos)
ihc | undecided | Not Available
ihc | negative-unspecified | Negative
ihc | undecided | Equivocal
ihc | positive  | Positive
ihc | undecided | Unk/ND
ihc | undecided | UNk/ND
ihc | undecided | [Not Evaluated]
ihc | undecided | [Not Available]
ihc | undecided | Indeterminate
ihc | undecided | Test Failure
ihc | undecided | Not Applicable
ihc | negative-unspecified | Negative (outside)
ihc | positive  | 3+ Positive
ihc | positive  | 3+ POSITIVE
ihc | undecided | No membrane staining or incomplete membrane staining in <10% of tumor cells is negative
ihc | undecided | DAKOHercepTest TM
ihc | undecided | Hecep Test TM DAKO
ihc | undecided | Positive 1+
ihc | undecided | Negative 3+
ihc | undecided | 4+
ihc | low       | Score 1+
ihc | positive  | score 3
ihc | negative  | Negative (Score 0)
ihc | low       | Negative (IHC 1+)
ihc | low       | Negative (1+)
ihc | undecided | Equivocal (2+)
ihc | positive  | Positive (3+)
ihc | undecided | Borderline (2+)
ihc | ultralow  | HER2 0+
ihc | low       | 1+ (low)
ihc | positive  | 3+ (90%)
ihc | undecided | 3+ (5%)
ihc | undecided | 1+ (5%)
ihc | undecided | >1+
ihc | undecided | 3+?
ihc | undecided | 0/1+/2+/3+
ihc | undecided | 1+ (prior biopsy 3+)
ihc | undecided | Present
ihc | undecided | Absent
ihc | undecided | not positive
ihc | undecided | positive control 3+
"""

_ENGLISH = """
ihc | positive  | HER2: Positive (3+ by IHC)
ihc | positive  | HER2/neu: 3+ (positive)
ihc | positive  | HER2 IHC: 3+, positive
ihc | low       | HER2 (IHC): 1+
ihc | negative  | Her-2/neu: 0 (negative)
ihc | low       | HER2: Negative (1+ by IHC, FISH not performed)
ihc | low       | HER2: negative (2+ by IHC; FISH: ratio 1.4, non-amplified)
overall | low   | HER2: negative (2+ by IHC; FISH: ratio 1.4, non-amplified)
ihc | negative-unspecified | HER2/neu amplification: NOT detected (FISH ratio 1.4)
ish | negative-unspecified | HER2/neu amplification: NOT detected (FISH ratio 1.4)
ish | positive  | HER2 amplification: DETECTED
ihc | undecided | HER2 (c-erbB-2): 2+ (equivocal by IHC; FISH reflex testing recommended)
ihc | undecided | 2+, reflex FISH pending
ihc | undecided | HER2/neu: equivocal, awaiting FISH
ihc | undecided | HER2/neu Oncoprotein: NEGATIVE (Score 1+, faint incomplete membrane staining in <10% cells)
ihc | undecided | Strong complete or basolateral staining in <30% cells, weak to moderate staining in >10%
ihc | negative-unspecified | HER2/neu-
ihc | negative-unspecified | HER2/neu-neg
ihc | negative-unspecified | HER2: NEG
ihc | positive  | HER2: POS
ihc | undecided | HER3 3+
ihc | undecided | Nottingham Score 6
ihc | undecided | ER 3+
ihc | undecided | HER2 negative, ER 3+
ihc | undecided | pN1
ihc | undecided | Allred 8/8
ihc | undecided | ER IRS 0
ihc | undecided | PR IRS 8
ihc | undecided | HER2 positive, PR IRS 8
ihc | low       | 1+ (faint, incomplete membrane staining in 20% of tumor cells)
ihc | ultralow  | 0 (faint incomplete membrane staining in 5% of tumor cells)
ihc | negative  | 0 (no staining)
ihc | positive  | IHC 3+ (intense complete staining in 80% of cells)
ihc | undecided | 0 (faint incomplete staining in 15% of tumor cells)
ihc | ultralow  | 0, 5%
ihc | low       | HER2-low
ihc | ultralow  | HER2 ultralow
overall | low   | HER2-low (IHC 1+)
overall | positive | Positive
overall | negative-unspecified | Negative
overall | low   | Low
overall | ultralow | ultralow
overall | undecided | Equivocal
overall | positive | 3+
overall | low   | 1+
overall | undecided | 2+
overall | low   | IHC 2+, FISH negative
overall | positive | IHC 2+; FISH positive
overall | low   | 2+, FISH not amplified
overall | undecided | 2+ (FISH pending)
overall | undecided | HER2 positive (IHC 2+, FISH negative)
overall | low   | IHC 2+ (equivocal), FISH negative
overall | low   | IHC 2+, FISH: ratio 1.1, copies 2.1, negative
overall | undecided | IHC 2+, FISH: ratio 1.7, copies 5.1, negative
overall | low   | Overall: negative. IHC 2+, FISH: ratio 1.7, copies 5.1
overall | undecided | IHC 2+, FISH equivocal, negative
overall | negative-unspecified | Negative/low
ihc | negative-unspecified | negative / HER2-ultralow
ihc | undecided | 0/ultralow
ihc | undecided | Negative for HER2-low
ihc | undecided | negative for 1+
ihc | negative-unspecified | negative for HER2
ihc | low       | Negative for HER2 (1+)
ihc | negative-unspecified | no overexpression
ihc | positive  | HER2 overexpressed
overall | undecided | IHC 2+, FISH: no overexpression
ihc | positive  | not amplified, 3+
ihc | positive  | Positive (IHC 3+)
"""

_ISH = """
ish | undecided | 1.1
ish | undecided | 2.5 (CN 3)
ish | undecided | 1.3 (OSH CN 4.2)
ish | positive  | 2 (CN 4.8)
ish | positive  | 4.0, CN 9.7
ish | undecided | 1.8 (CN 7.5)
ish | undecided | Not done
ish | undecided | 0
ish | negative-unspecified | not amplified
ish | negative-unspecified | non-amplified
ish | negative-unspecified | Not Amplified
ish | positive  | amplified
ish | undecided | 49
ish | positive  | >=2.0 Positive
ish | positive  | >2.2 Positive
ish | undecided | ratio of HER2/Centromere 17 >= 2.1 is amplified
ish | positive  | greater than 2.2
ish | negative-unspecified | less than 1.8
ish | positive  | >2.2
ish | negative-unspecified | <1.8
ish | positive  | FISH amplifiziert
ish | negative-unspecified | ISH: not amplified (HER2/CEP17 ratio 1.3, mean HER2 copy number 3.4)
ish | negative-unspecified | HER2/CEP17 ratio 1.2, HER2 copies/cell 2.8
ish | positive  | HER2/CEP17 ratio 5.1, HER2 copies/cell 12.3
ish | undecided | HER2/CEP17 ratio 1.6, HER2 copies/cell 6.4
ish | undecided | HER2/CEP17 ratio 1.7, HER2 copies/cell 5.1
ish | undecided | HER2/CEP17 ratio 2.2, HER2 copies/cell 3.3
ish | undecided | amplified (ratio 1.1, CN 2.2)
ish | undecided | not amplified (ratio 2.5, CN 6.0)
ish | undecided | 1.2 : 1
ish | negative-unspecified | ratio 1.2 : 1, CN 2.4
ish | positive  | Positive
ish | negative-unspecified | Negative
ish | undecided | Equivocal
ish | undecided | Indeterminate
ish | undecided | Test failure
ish | undecided | amplification
ish | undecided | FISH to follow
ish | undecided | FISH positive, FISH negative
ish | undecided | not amplified, amplified
ish | undecided | ratio 1.1, CN 172
ish | undecided | no amplification result
ish | negative-unspecified | No amplification
ish | negative-unspecified | negative for amplification
ish | positive  | positive for amplification
ish | undecided | no overexpression
ish | undecided | overexpressed
"""

_GERMAN = """
ihc | negative  | HER2 negativ (Score 0)
ihc | low       | HER2- Score 1+
ihc | positive  | HER2+ Score 3+ (FISH amplifiziert)
ihc | low       | HER2-Status: negativ (Score 1+)
ish | negative-unspecified | Nicht amplifiziert
ish | negative-unspecified | HER2 negativ (nicht amplifiziert)
ish | undecided | nicht durchgeführt
ihc | undecided | nicht durchgeführt
ihc | undecided | HER2 negativ (Score 0), ER IRS 0
ihc | undecided | HER2 nicht positiv
ihc | positive  | HER2 positiv
ihc | undecided | äquivok
ish | negative-unspecified | keine Amplifikation
overall | low   | HER2 2+, FISH nicht amplifiziert
ish | undecided | keine Überexpression
ihc | undecided | 2+, FISH ausstehend
"""

_ROMANCE_AND_DUTCH = """
ihc | negative  | HER2 score 0
ihc | undecided | HER2 : score [0/1+/2+/3+] ; FISH/CISH : [amplifiée/non amplifiée]
ihc | negative-unspecified | HER2 negatif
ihc | negative-unspecified | HER2 négatif
ish | positive  | HER2 amplifie
ish | positive  | HER2 amplifié
ihc | positive  | HER2 amplifie
ish | negative-unspecified | HER2 non amplifie
ihc | negative-unspecified | HER2 non amplifié
ihc | undecided | 2+ (équivoque)
ihc | low       | HER2 : score 1+
overall | low   | HER2 : score 2+ ; FISH : non amplifiée
overall | positive | HER2 : score 2+ ; FISH : amplifiée
ihc | undecided | non réalisé
ihc | negative  | HER2: NEGATIVO (SCORE 0)
ihc | low       | HER2: Negativo (score 1+)
ihc | negative-unspecified | HER2: Negativo
ihc | ultralow  | 0 (ultralow)
ihc | negative  | 0 (null)
ihc | positive  | HER2: Positivo (score 3+)
ish | negative-unspecified | no amplificado
ish | negative-unspecified | não amplificado
ihc | undecided | no realizado
ish | negative-unspecified | non amplificato
ihc | negative-unspecified | negativo
ish | negative-unspecified | niet geamplificeerd
ihc | negative-unspecified | negatief
ihc | positive  | positief
ihc | undecided | equívoco
ihc | undecided | no positivo
ihc | undecided | C-erbB-2 (HER2/neu)
"""

_CHINESE = """
ihc | undecided | HER2(2+)
ihc | positive  | C-erbB-2(+++)
ihc | undecided | HER2(++)
ihc | negative-unspecified | HER2 FISH未见基因扩增
ish | negative-unspecified | HER2 FISH未见基因扩增
ihc | positive  | HER2（3+）
"""


@dataclass(frozen=True)
class Form:
    """One text, what was asked, and the category that this one result alone gives."""

    asked: Assay
    expected: str
    text: str

    def __str__(self) -> str:
        return f"{self.asked.value} {self.text}"


def _forms(*tables: str) -> tuple[Form, ...]:
    lines = [line.split("|", 2) for table in tables for line in table.strip().splitlines()]
    return tuple(
        Form(Assay(asked.strip()), expected.strip(), text.strip())
        for asked, expected, text in lines
    )


FORMS = _forms(_SCORES, _ENGLISH, _ISH, _GERMAN, _ROMANCE_AND_DUTCH, _CHINESE)

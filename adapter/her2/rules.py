"""Every rule that can decide a category: stable id, [G] or [P], where it stands, and a sentence for a pathologist.

The ids go into hospitals' records (component `rule`) and never change their meaning. Nothing is decided here.
"""

from __future__ import annotations

from adapter.her2.model import Basis, IshGroup, Reason, Rule

G, P = Basis.GUIDELINE, Basis.POLICY
FIG_1 = "ASCO/CAP 2018 (affirmed 2023) Fig 1"
FIG_2 = "ASCO/CAP 2018 (affirmed 2023) Fig 2, single-probe ISH"
FIG_3 = "ASCO/CAP 2018 (affirmed 2023) Fig 3, dual-probe ISH"
FIG_4_TO_6 = "ASCO/CAP 2018 (affirmed 2023) Fig 4-6, ISH groups 2-4"
TABLE_2013 = "ASCO/CAP 2013 recommendation table, kept by 2018"
LABEL_LOW = "T-DXd label, DESTINY-Breast04"
LABEL_ULTRALOW = "T-DXd label, DESTINY-Breast06"
OWN_POLICY = "HER2 adapter policy, docs/decision-table.md"

IHC_0 = Rule("ihc-0", G, FIG_1, "IHC score 0 is HER2-negative.")
IHC_0_PLUS = Rule(
    "ihc-0-plus",
    G,
    LABEL_ULTRALOW,
    "IHC 0 with faint, incomplete staining in more than 0 and at most 10 % of tumour cells is HER2-ultralow.",
)
IHC_1_PLUS = Rule("ihc-1-plus", G, LABEL_LOW, "IHC score 1+ is HER2-low.")
IHC_2_PLUS = Rule(
    "ihc-2-plus-without-ish", G, FIG_1, "IHC score 2+ is equivocal; reflex ISH must follow."
)
IHC_2_PLUS_ISH_NEGATIVE = Rule(
    "ihc-2-plus-ish-negative",
    G,
    f"{FIG_3}; {LABEL_LOW}",
    "IHC score 2+ with negative ISH is HER2-low.",
)
IHC_2_PLUS_ISH_POSITIVE = Rule(
    "ihc-2-plus-ish-positive", G, FIG_3, "IHC score 2+ with positive ISH is HER2-positive."
)
IHC_3_PLUS = Rule("ihc-3-plus", G, f"{FIG_1}, 4-6", "IHC score 3+ is HER2-positive.")
IHC_3_PLUS_ISH_NEGATIVE = Rule(
    "ihc-3-plus-ish-negative",
    G,
    TABLE_2013,
    "IHC score 3+ is HER2-positive although ISH is negative; the discordance needs review.",
)
ISH_POSITIVE_IHC_NEGATIVE = Rule(
    "ish-positive-ihc-negative",
    G,
    f"{FIG_3}; {TABLE_2013}",
    "Positive ISH is HER2-positive although IHC is 0 or 1+; the discordance needs review.",
)
ISH_POSITIVE = Rule("ish-positive", G, FIG_3, "Positive ISH is HER2-positive.")
ISH_NEGATIVE_WITHOUT_IHC = Rule(
    "ish-negative-without-ihc",
    G,
    f"{FIG_3}; the name negative-unspecified is this product's [P]",
    "Negative ISH is HER2-negative; without IHC, 0, ultralow and low cannot be told apart.",
)
GROUP_2_TO_4_WITHOUT_IHC = Rule(
    "ish-group-2-to-4-without-ihc",
    G,
    f"{FIG_3}, note",
    "ISH group 2, 3 or 4 is decided together with IHC, and IHC is not there.",
)
GROUP_2_TO_4_IHC_NEGATIVE = Rule(
    "ish-group-2-to-4-ihc-0-or-1-plus",
    G,
    FIG_4_TO_6,
    "ISH group 2, 3 or 4 with IHC 0 or 1+ is HER2-negative, with the group's comment.",
)
SECOND_REVIEW_DUE = Rule(
    "second-review-due",
    G,
    FIG_4_TO_6,
    "IHC score 2+ with ISH group 2, 3 or 4: a blinded recount of at least 20 cells is due.",
)
SECOND_REVIEW_NEGATIVE = Rule(
    "second-review-negative",
    G,
    f'{FIG_4_TO_6}; the name "low" is this product\'s [P]',
    "IHC score 2+ with ISH group 2 or 4 in both counts is HER2-negative, here HER2-low.",
)
SECOND_REVIEW_POSITIVE = Rule(
    "second-review-positive",
    G,
    "ASCO/CAP 2018 (affirmed 2023) Fig 5, ISH group 3",
    "IHC score 2+ with ISH group 3 in both counts is HER2-positive.",
)
SECOND_REVIEW_DIFFERS = Rule(
    "second-review-differs",
    G,
    FIG_4_TO_6,
    "The recount gave another ISH group than the first count; the laboratory adjudicates.",
)
ADJUDICATED = Rule(
    "adjudicated",
    G,
    FIG_4_TO_6,
    "The laboratory's final overall result settles what its single results left open.",
)
SINGLE_POSITIVE = Rule(
    "single-probe-6-or-more",
    G,
    FIG_2,
    "Single-probe ISH with 6.0 or more HER2 copies per cell is HER2-positive.",
)
SINGLE_MIDDLE_IHC_3 = Rule(
    "single-probe-4-to-6-ihc-3-plus",
    G,
    FIG_2,
    "Single-probe ISH with 4.0 to below 6.0 HER2 copies per cell and IHC 3+ is HER2-positive.",
)
SINGLE_MIDDLE_IHC_NEGATIVE = Rule(
    "single-probe-4-to-6-ihc-0-or-1-plus",
    G,
    FIG_2,
    "Single-probe ISH with 4.0 to below 6.0 HER2 copies per cell and IHC 0 or 1+ is HER2-negative.",
)
SINGLE_MIDDLE_IHC_2 = Rule(
    "single-probe-4-to-6-ihc-2-plus",
    G,
    FIG_2,
    "IHC score 2+ with 4.0 to below 6.0 HER2 copies per cell by single probe: dual-probe ISH is due.",
)
SINGLE_MIDDLE_WITHOUT_IHC = Rule(
    "single-probe-4-to-6-without-ihc",
    G,
    f"{FIG_2}, note",
    "Single-probe ISH with 4.0 to below 6.0 copies is decided together with IHC, and IHC is not there.",
)
SINGLE_NEGATIVE = Rule(
    "single-probe-below-4",
    G,
    FIG_2,
    "Single-probe ISH with fewer than 4.0 HER2 copies per cell and IHC 0, 1+ or 2+ is HER2-negative.",
)
SINGLE_NEGATIVE_WITHOUT_IHC = Rule(
    "single-probe-below-4-without-ihc",
    G,
    f"{FIG_2}; the name negative-unspecified is this product's [P]",
    "Fewer than 4.0 HER2 copies per cell by single probe is HER2-negative; without IHC its kind is unknown.",
)
IHC_POSITIVE_WITHOUT_SCORE = Rule(
    "ihc-positive-without-score",
    P,
    f"{FIG_1}; {OWN_POLICY} N5",
    "IHC stated as positive without a score reads as 3+, and nothing else speaks against it.",
)
IHC_POSITIVE_AGAINST_ISH = Rule(
    "ihc-positive-without-score-against-ish",
    P,
    f"{OWN_POLICY} N5",
    "IHC stated as positive without a score may be an over-called 2+ where ISH is not positive.",
)
SEVERAL_SCORES = Rule(
    "several-scores-possible",
    P,
    f"{OWN_POLICY} N6",
    "What is stated stands for several IHC scores, and they do not all lead to one category.",
)
INDETERMINATE = Rule(
    "indeterminate",
    G,
    TABLE_2013,
    "The laboratory could not read the test that would decide.",
)
OVERALL_ALONE = Rule(
    "overall-result-alone",
    P,
    f"{OWN_POLICY}, the laboratory's overall result",
    "Only the laboratory's own overall result is there; its conclusion is taken as stated.",
)
OVERALL_REFINES = Rule(
    "overall-result-refines",
    P,
    f"{OWN_POLICY}, the laboratory's overall result",
    "The laboratory's overall result says which kind of HER2-negative it is.",
)
CONTRADICTION = Rule(
    "contradiction",
    P,
    f"{OWN_POLICY}, which results count",
    "Results contradict each other or themselves; a human decides.",
)
NUMBERS_INCOMPLETE = Rule(
    "ish-numbers-incomplete",
    P,
    f"{FIG_3}; {OWN_POLICY}, numbers",
    "The ISH numbers given allow several ISH groups, and they do not all lead to one category.",
)
IHC_NOT_FINAL = Rule(
    "ihc-not-final",
    P,
    f"{OWN_POLICY}, which results count 2",
    "The only IHC result is preliminary.",
)
NOTHING_USABLE = Rule(
    "nothing-usable", P, f"{OWN_POLICY}, which results count 2", "No usable result is left."
)
NOT_BREAST = Rule(
    "not-breast",
    G,
    "ASCO/CAP 2018: invasive component of breast cancer only",
    "The tumour is no invasive breast cancer; the breast categories do not apply to it.",
)
SITE_REQUIRED = Rule(
    "tumour-site-required",
    P,
    f"{OWN_POLICY}, which results count 7",
    "Nothing says that the tumour is of the breast, and this site requires it to be stated.",
)
BEYOND_BASIC = Rule(
    "beyond-basic",
    P,
    "Policy basic",
    "The policy basic knows IHC 0, 1+, 2+ with an ISH word, and 3+; these results go beyond it.",
)

ALL_RULES: tuple[Rule, ...] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Rule)
)
"""Every rule above; a test holds that the ids are unique and every rule can fire."""

GROUP_COMMENTS = {
    IshGroup.G2: Reason(
        "comment-ish-group-2",
        "ISH group 2: trials hold little evidence of benefit from HER2-targeted treatment at a ratio of 2.0 or more "
        "with fewer than 4.0 copies per cell (ASCO/CAP 2018 Fig 4).",
    ),
    IshGroup.G3: Reason(
        "comment-ish-group-3",
        "ISH group 3: data are insufficient for a ratio below 2.0 without protein overexpression "
        "(ASCO/CAP 2018 Fig 5).",
    ),
    IshGroup.G4: Reason(
        "comment-ish-group-4",
        "ISH group 4: benefit is uncertain at 4.0 to 5.9 copies per cell without IHC 3+, and a repeat near the cut-off "
        "may differ by chance (ASCO/CAP 2018 Fig 6).",
    ),
}
"""Short own sentences beside a group's result; the guideline's text itself is not copied."""

ISH_EQUIVOCAL_COMMENT = Reason(
    "comment-ish-equivocal",
    "ISH was reported as equivocal without numbers; its group is not stated.",
)

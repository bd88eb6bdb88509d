"""The part of docs/decision-table.md that rules cite for what stands beside the table: our own policies in words."""

from __future__ import annotations

from typing import Final

POLICY_TEXT: Final = """\
## Before the table

What a laboratory states becomes rows and columns first.

- **N1.** ISH "positive" without numbers reads as G1, "negative" as G5, "equivocal" as G4 without a recount; the group
  itself stays unstated in the answer.
- **N2.** ISH "not done" is no ISH. ISH "indeterminate" or "failed" counts as no ISH; with IHC 2+, or without usable
  IHC, the answer is `indeterminate` with review.
- **N3.** IHC "equivocal" reads as 2+.
- **N4.** IHC "indeterminate" counts as no IHC; without usable ISH the answer is `indeterminate` with review.
- **N5.** [P] IHC "positive" without a score reads as 3+ while ISH is absent, indeterminate, G1 or single probe of 6.0
  or more; with any other ISH it is `needs-review`, because it may be an over-called 2+.
- **N6.** [P] IHC "negative" without a score stands for 0, 0+ and 1+, and a range for each score in it. Each row is
  read. If all give one category, that is the answer. If one is open, the open one is, with review where another would
  be positive. If one is positive and none is open, it is `needs-review`; else `negative-unspecified`.

## The laboratory's overall result

[P] Alone it is taken as it stands: positive, equivocal, indeterminate, low, ultralow; "negative" gives
`negative-unspecified`. Beside scores it must agree with them: "negative" agrees with negative, ultralow, low and
negative-unspecified, "equivocal" with equivocal and every pending category, the others with themselves. Low and
ultralow refine `negative-unspecified`; ultralow refines an IHC 0 without a word on staining. Anything else, also a
plain positive or negative over 2+ without ISH, is `needs-review`. Over 2+ with ISH group 2, 3 or 4 a final positive
or negative is the adjudication; after a recount in the same group it has to agree with that.

## Numbers

[P] A ratio that is missing is HER2 copies divided by CEP17 copies. Values are never rounded.

- If some numbers are missing, every group that the others allow is read, narrowed by the laboratory's own word. One
  category in all of them is the answer, else `needs-review`.
- A reported ratio that gives another group than the counts is `needs-review`. In the same group, but off by more than
  0.1 and more than 5 %, the category stands with review.
- The laboratory's word against its numbers is `needs-review`; so is a number of 0 or less, and more than 50 copies
  per cell, which is a total and no average.
- Percentages that contradict the score are `needs-review`: 1+ or 3+ in at most 10 % of the cells, 0 with faint
  staining in more than 10 % or in 0 %, 2+ weak to moderate in at most 10 %, 2+ intense and complete in more than 10
  %. A score off the 0–3+ scale is, too. IHC 0 with "5 %" and no word on intensity is `ultralow`; with "less than 10
  %" alone it is `negative`.
- Scores before October 2013 were read under the edition of 2007: by the setting `policy.earlier_editions` the
  category stands with that limit, or a 1+ of that time gives `negative-unspecified`. "0+" before 2024 means 0,
  staining not stated.

## Which results count

All of this is [P], except where a figure is named.

1. One answer per tumour sample. Results belong together when they name one specimen, specimens of one identifier, or
   specimens of one parent or accession that holds IHC of one and ISH of one; without a specimen by report, accession,
   then patient, side and collection day, as long as only one tumour can be meant: the breast and another organ, two
   sides or a metastasis beside another sample are not joined. Never by time alone. What might
   belong together and is not joined has review.
2. `final`, `amended` and `corrected` count. `registered` and `preliminary` do not yet; a preliminary IHC alone gives
   `pending-ihc`. `cancelled` sets review. `entered-in-error` is as if absent. An unknown status is `needs-review`.
   A result that reports list, all of them `entered-in-error` or `cancelled`, does not count, with review.
3. The order of arrival never matters.
4. The same test twice: equal is fine; different without a mark of repeat or recount is `needs-review`, never "the
   latest wins". A marked repeat replaces, with review. A second cell population with more signals in more than 10 %
   of the cells is `needs-review`. Dual probe outranks single probe.
5. What several samples of a patient say together is shown, and never written.
6. The adapter's own output is never its input.
7. A tumour outside the breast, or carcinoma in situ alone, is not applicable. A place where metastases are found says
   nothing by itself. Breast and another tumour named together are `needs-review`, and so are an organ in which either
   may be (the ovary, the bladder) and a diagnosis in focus that is not understood, where nothing else says which
   tumour it is. Where nothing is said at all, the answer says so; the setting `policy.tumour_site` = `required` makes
   that `needs-review`.
8. A code and a text that mean different things, another marker's value, a modifier extension that is not known: never
   a category.
9. A result that cannot be read is named and sets review; if it is the IHC, no negative, ultralow or low follows from
   the rest.
10. Notes are read for marks and contradictions only; a note never gives a category. "0+" beside 0, "3+ in 5 %" beside
    3+ and ISH numbers against an ISH word, under whichever test they stand, are contradictions. A note by which the
    result is of another patient, specimen or tumour ("scored on DCIS"), or not to be used, is `needs-review`.
11. An open case closes when the laboratory corrects, completes, withdraws or adjudicates, or when a site's own
    mapping or policy says how its results are to be read. The adapter records no person's category of its own.
"""

"""Why an Observation was read as it was: stable codes, each with a sentence a pathologist accepts.

The codes go into logs, the worklist and records; they never change their meaning. No sentence holds
anything of a patient.
"""

from __future__ import annotations

from typing import Final

from adapter.her2.model import Reason

SENTENCES: Final = {
    # What it is
    "her2-result": "A HER2 result, read from its coded or written value.",
    "own-output": "Written by this adapter itself; its own output is never its input.",
    "delivered-twice": "The same version of this result was delivered more than once.",
    "older-version": "A later version of this result is at hand.",
    "versions-not-ordered": "Two versions of this result are at hand, and nothing says which is later.",
    "panel": "A panel that holds other results and states none itself.",
    "cells-counted": "The number of cells counted; it states no result.",
    "not-an-observation": "Not an Observation.",
    "no-her2-test": "Its code and text name no HER2 test.",
    "generic-test": "A general test code, and nothing says that HER2 was tested.",
    "document": "A report or narrative; no category is read from it.",
    "excluded-test": "HER2, but no IHC or ISH of tissue.",
    "serum-test": "HER2 in serum; no IHC or ISH of tissue.",
    "tissue-immunoassay": "HER2 by immunoassay; no IHC.",
    "number-without-decimal-point": "A registry's number, written without its decimal point.",
    "mutation-test": "A mutation test of ERBB2; no ISH.",
    "sequencing-copy-number": "A sequencing result; no ISH.",
    "expression-test": "Messenger RNA of HER2; no IHC or ISH.",
    "treatment": "A treatment is named, and no test.",
    "other-analyte": "Another marker's test.",
    "other-analyte-named": "A HER2 test code under which another marker is named.",
    "other-gene": "Another gene was studied.",
    "subject-not-a-patient": "The subject is no patient.",
    "other-tumour": "The tumour is one outside the breast.",
    "carcinoma-in-situ": "Carcinoma in situ only; the guideline is for invasive cancer.",
    # What could not be read
    "subject-not-identified": "Whose result this is cannot be told.",
    "test-not-understood": "HER2 is named, but which test this is could not be understood.",
    "method-named": "Its name asks how HER2 was tested; what stands there may be a cut-off.",
    "test-not-r4": "The test code is not written as FHIR R4 has it.",
    "no-value": "It states no value.",
    "data-absent": "The laboratory says that there is no value.",
    "value-type-not-read": "A value of this type cannot be a HER2 result.",
    "value-not-r4": "The value is not written as FHIR R4 has it.",
    "answer-not-known": "The coded answer is not known, and no text beside it could be read.",
    "answer-says-nothing": "The answer says nothing that a category could follow from.",
    "comparator-not-known": "The number has a comparator that FHIR R4 does not know.",
    "number-not-readable": "The number cannot be read.",
    "number-without-meaning": "A number without saying what it counts.",
    "unit-not-understood": "The unit is not understood.",
    "unit-against-test": "The unit does not belong to this test.",
    "percent-without-score": "A share of cells without a score.",
    "ratio-without-denominator": "A ratio without a usable denominator.",
    "text-too-long": "A narrative, too long to be a result.",
    "text-empty": "The text is empty.",
    "text-not-understood": "The text is not understood whole.",
    "text-beside-code-not-understood": "The text beside the coded answer may say something else.",
    "other-analyte-in-value": "The value names another marker.",
    "several-scores": "Several IHC scores in one text.",
    "several-percentages": "Several shares of cells in one text.",
    "staining-not-understood": "The staining pattern described is not one of the guideline's.",
    "two-sides-in-one-text": "Both sides are named, and one result.",
    "two-tests-in-one-clause": "IHC and ISH are spoken of in one clause.",
    "laboratories-mixed": "Different tests of two laboratories are quoted; whether of one sample is not said.",
    "low-by-ish": "Low or ultralow is stated for ISH, which alone cannot say so.",
    "result-missing": "A test is named whose result is not said.",
    "criterion-not-result": "A cut-off or a score is explained, and no result is stated.",
    "presence-is-no-result": "Detected or not detected is a result of ISH only.",
    "plus-alone": "A plus behind the marker may mean positive or 1+.",
    "share-of-cells-not-understood": "The share of stained cells is not understood.",
    "no-score": "Staining is described, but no score is stated.",
    "nothing-stated": "The text states no result.",
    "component-without-value": "A component for a HER2 test has no value.",
    "likely-partner": "An open case, and exactly one sample elsewhere that may complete it.",
    "her2-in-narrative": "A report tells of HER2 what no result says; a suggestion, never a category.",
    # What contradicts itself
    "several-values": "It has several values at once, which FHIR does not allow.",
    "result-in-doubt": "A note says it is of another patient, specimen or tumour, or not to be used.",
    "value-and-absent-reason": "It has a value, and a reason why there is none.",
    "modifier-extension": "It has a modifier extension that this adapter does not know.",
    "implicit-rules": "It was made under rules of its own (implicitRules) that this adapter does not know.",
    "focus-on-someone-else": "Its focus is another person or a thing, not this patient's tumour.",
    "subjects-differ": "The result and its specimen, report or diagnosis name different patients.",
    "sides-differ": "The result, its specimen, its panel and its diagnosis name different sides.",
    "samples-differ": "A primary or another sample and a metastasis are named for one result.",
    "specimen-not-of-tissue": "The sample is blood, serum or plasma; IHC and ISH are of tissue.",
    "specimen-is-a-control": "The sample is a control, a cell line or a xenograft, and no tumour of the patient's.",
    "component-of-another-tumour": "A component's name is for a tumour other than invasive breast cancer.",
    "component-not-read": "A component for a HER2 test cannot be read beside the value.",
    "stated-twice-differently": "The same thing is stated twice, and differently.",
    "code-against-text": "The coded answer and the text beside it mean different things.",
    "answer-codes-differ": "Two coded answers mean different things.",
    "text-contradicts-itself": "The text contradicts itself.",
    "laboratories-differ": "Two laboratories are quoted, and their results differ.",
    "extent-not-stated": "The score is called focal or heterogeneous, and the share of cells is not stated.",
    "interpretation-against-value": "The interpretation and the value mean different things.",
    "note-against-value": "A note states something else than the value.",
    "test-codes-differ": "Two test codes name different tests.",
    "test-code-against-display": "The test code and its name mean different tests.",
    "test-code-against-method": "The test code and the method mean different tests.",
    "several-analytes-named": "HER2 and another marker are named together.",
    "ihc-score-under-ish-test": "An IHC result is stated under an ISH test.",
}
"""Every reason code this part can give, with its sentence; the excluded tests' codes come from
CodeSystem her2-exclusion and are explained there too."""


def reason(code: str, *sources: str, sides: str = "") -> Reason:
    """Make a Reason; an exclusion that a site's overlay adds is explained in general.

    `sides`: of a contradiction, in words; they are said after the sentence.
    """
    sentence = SENTENCES.get(code, SENTENCES["excluded-test"])
    if sides:
        sentence = f"{sentence.removesuffix('.')}: {sides}."
    return Reason(code, sentence, tuple(sources))

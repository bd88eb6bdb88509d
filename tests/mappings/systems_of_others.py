"""Canonical urls of the code systems that the tests of the data name; tests may, the adapter may not."""

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
SNOMED_NZ = "http://snomed.info/sct/21000210109"
CAP_ECC = "http://cap.org/eCC"
HGNC = "http://www.genenames.org/geneId"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD_O_3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
MII = "https://www.medizininformatik-initiative.de/fhir/ext"
MII_GUIDELINE = f"{MII}/modul-onko/CodeSystem/mii-cs-onko-mamma-her2neu-status-leitlinie"
MII_OBDS = f"{MII}/modul-onko/CodeSystem/mii-cs-onko-mamma-her2neu-status-obds"
MII_SCORE = f"{MII}/modul-mtb/CodeSystem/mii-cs-mtb-her2-ihc-score"
LT_SCORE = "https://tx.hl7.lt/fhir/CodeSystem/her2-ihc-score"
LT_FISH = "https://tx.hl7.lt/fhir/CodeSystem/her2-fish-result"
LT_STATUS = "https://tx.hl7.lt/fhir/CodeSystem/her2-receptor-status"
ICHOM = "http://connect.ichom.org/fhir/CodeSystem/her2-receptor-status"
NAACCR = "http://terminology.hl7.org/CodeSystem/naaccrCodes"
CPT = "http://www.ama-assn.org/go/cpt"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
TAIWAN_NHI = "https://twcore.mohw.gov.tw/ig/twcore/CodeSystem/medical-service-payment-tw"
US_BREAST = "http://hl7.org/fhir/us/breastcancer/CodeSystem/oncology-HER2StatusCS"
OMOP = "https://fhir-terminology.ohdsi.org"

EVERY_SYSTEM = (
    LOINC,
    SNOMED,
    CAP_ECC,
    HGNC,
    ICD_10_CM,
    INTERPRETATION,
    MII_GUIDELINE,
    MII_OBDS,
    MII_SCORE,
    LT_SCORE,
    LT_FISH,
    LT_STATUS,
    ICHOM,
    NAACCR,
    CPT,
    NCIT,
    TAIWAN_NHI,
    US_BREAST,
    OMOP,
    "urn:oid:2.25.1",
    "",
)
"""Systems to look a code up in where it does not belong."""

"""The canonical urls of what is ours: the one place that holds the base and names our own systems.

LOINC, SNOMED CT, UCUM, HL7 and every other system is named in `mappings/` only, never in Python.
The base goes into ids and records, so it does not change after release (docs/output.md).
"""

from __future__ import annotations

from typing import Final

BASE: Final = "https://w3id.org/her2-adapter"

# Code systems of our own
CATEGORY_SYSTEM: Final = f"{BASE}/CodeSystem/her2-category"
COMPONENT_SYSTEM: Final = f"{BASE}/CodeSystem/her2-component"
ADAPTER_SYSTEM: Final = f"{BASE}/CodeSystem/her2-adapter"
ASCO_CAP_SYSTEM: Final = f"{BASE}/CodeSystem/her2-asco-cap"
TEST_ROLE_SYSTEM: Final = f"{BASE}/CodeSystem/her2-test-role"
EXCLUSION_SYSTEM: Final = f"{BASE}/CodeSystem/her2-exclusion"
ANSWER_SYSTEM: Final = f"{BASE}/CodeSystem/her2-answer"
SITE_SYSTEM: Final = f"{BASE}/CodeSystem/her2-site"
WORD_SYSTEM: Final = f"{BASE}/CodeSystem/her2-word"
PROVENANCE_KEY_SYSTEM: Final = f"{BASE}/CodeSystem/provenance-key"
SUBSCRIPTION_SYSTEM: Final = f"{BASE}/CodeSystem/subscription"

# Identifier systems
CASE_IDENTIFIER_SYSTEM: Final = f"{BASE}/sid/case"
DOCTOR_IDENTIFIER_SYSTEM: Final = f"{BASE}/sid/doctor"
DEVICE_IDENTIFIER_SYSTEM: Final = f"{BASE}/sid/software"

# What a ConceptMap maps to says how it is used; a site's map names the same value set as its target
TEST_ROLES: Final = f"{BASE}/ValueSet/test-roles"
TEST_METHODS: Final = f"{BASE}/ValueSet/test-methods"
IHC_ANSWERS: Final = f"{BASE}/ValueSet/ihc-answers"
ISH_ANSWERS: Final = f"{BASE}/ValueSet/ish-answers"
OVERALL_ANSWERS: Final = f"{BASE}/ValueSet/overall-answers"
TUMOUR_SITES: Final = f"{BASE}/ValueSet/tumour-sites"
SIDES: Final = f"{BASE}/ValueSet/sides"
GENES: Final = f"{BASE}/ValueSet/genes"

# Maps of what we write
OUTPUT_RECORD_MAP: Final = f"{BASE}/ConceptMap/output-record"
OUTPUT_UNITS_MAP: Final = f"{BASE}/ConceptMap/output-units"
OUTPUT_INTERPRETATION_MAP: Final = f"{BASE}/ConceptMap/output-interpretation"
OUTPUT_CATEGORY_LOINC_MAP: Final = f"{BASE}/ConceptMap/output-category-loinc"
OUTPUT_CATEGORY_SNOMED_MAP: Final = f"{BASE}/ConceptMap/output-category-snomed"

# Extensions
SOURCE_CONTENT_HASH_EXTENSION: Final = f"{BASE}/StructureDefinition/source-content-hash"
ROW_SOURCE_EXTENSION: Final = f"{BASE}/StructureDefinition/row-source"
PREFIX_EXTENSION: Final = f"{BASE}/StructureDefinition/identifies-by-prefix"
CODE_FORM_EXTENSION: Final = f"{BASE}/StructureDefinition/code-form"

# Profiles
OBSERVATION_PROFILE: Final = f"{BASE}/StructureDefinition/her2-category-observation"
PROVENANCE_PROFILE: Final = f"{BASE}/StructureDefinition/her2-category-provenance"

# Policies that Provenance names
MAPPINGS_POLICY: Final = f"{BASE}/mappings"
POLICY_BASE: Final = f"{BASE}/policy"

INPUT_TARGETS: Final = frozenset(
    {
        TEST_ROLES,
        TEST_METHODS,
        IHC_ANSWERS,
        ISH_ANSWERS,
        OVERALL_ANSWERS,
        TUMOUR_SITES,
        SIDES,
        GENES,
    }
)
OUTPUT_MAPS: Final = frozenset(
    {
        OUTPUT_RECORD_MAP,
        OUTPUT_UNITS_MAP,
        OUTPUT_INTERPRETATION_MAP,
        OUTPUT_CATEGORY_LOINC_MAP,
        OUTPUT_CATEGORY_SNOMED_MAP,
    }
)
OUTPUT_CODE_SYSTEMS: Final = frozenset(
    {CATEGORY_SYSTEM, COMPONENT_SYSTEM, ADAPTER_SYSTEM, ASCO_CAP_SYSTEM, ANSWER_SYSTEM}
)

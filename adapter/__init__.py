"""HER2 adapter: laboratory HER2 results in, derived HER2 categories with Provenance out (FHIR R4)."""

__version__ = "0.1.0"

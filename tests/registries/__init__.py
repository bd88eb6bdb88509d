"""Registries' own files turned into FHIR: real input that nobody here wrote."""

"""FHIR R4 in both directions, without a network: results to evidence, answers to the record."""

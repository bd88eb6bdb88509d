"""The way to a FHIR server over HTTP: the port `FhirServer`, and no clinical word."""

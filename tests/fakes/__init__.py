"""Fakes by port: a FHIR server, a state store and a clock, as tidy as what they stand for."""

"""Faults of the way to a server: HTTP exchanges that go wrong, by seed, in front of any FHIR server."""

"""Measures a FHIR server with resources of its own, and says what the adapter will do because of it.

`examine` measures, `judge` turns findings into advice without asking anybody, `remedies` says what an administrator
could change. Nothing is claimed that was not measured.
"""

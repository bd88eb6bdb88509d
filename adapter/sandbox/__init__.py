"""A small FHIR R4 server on loopback, for the demo and the tests.

It shares no code with the client, and is strict on purpose: what it does not understand it refuses
with an OperationOutcome, so that a mistake of the client shows here and not first in a hospital. It
is no product: no authentication, no terminology services, no profiles, one process. On demand it
takes on the bad habits of real servers (`habits`).
"""

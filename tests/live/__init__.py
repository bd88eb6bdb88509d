"""The adapter over HTTP: one set of tests, run on the sandbox and on a real HAPI server."""

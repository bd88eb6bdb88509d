"""Everything that an adapter process imports while it works, imported once for all lives."""

import adapter.store
import adapter.store.migrate
import adapter.sync.cycle
import adapter.terminology.catalogue
import adapter.transport.fhir_server  # noqa: F401 - imported so that a fork has it
import tests.torture.mortal  # noqa: F401

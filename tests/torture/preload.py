"""What an adapter process imports and makes of the vocabulary before it works, once for all lives."""

import adapter.store
import adapter.store.migrate
import adapter.sync.cycle
import adapter.transport.fhir_server  # noqa: F401 - imported so that a fork has it
import tests.torture.mortal  # noqa: F401
from adapter.sync.reading.wanted import Wanted
from adapter.terminology.catalogue import load_catalogue

# Kept: a life that loads the same mappings finds it made.
Wanted.of(load_catalogue())

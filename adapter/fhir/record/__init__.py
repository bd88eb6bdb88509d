"""What we write: the derived Observation, its Provenance and their words (docs/output.md)."""

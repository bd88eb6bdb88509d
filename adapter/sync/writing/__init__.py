"""What was planned, until it stands on the target with its Provenance: bundles, rungs, outcomes."""

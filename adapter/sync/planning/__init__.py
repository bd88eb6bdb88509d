"""What ought to stand against what stands, and when a person decides. Pure."""

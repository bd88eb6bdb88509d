"""What laboratories send and change, seeded: the content of the torture, the state machine and the shuffles."""

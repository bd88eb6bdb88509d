"""The commands: parse, put together, call, print, end with an exit code. Nothing is decided here."""

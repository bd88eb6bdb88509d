"""Alembic migrations of the state store; run at opening, never by hand."""

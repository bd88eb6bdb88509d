"""What `run --http` answers: a table of routes, who may use them, and what they say.

Nothing here decides about results. Each room gives rows of the table; the composition root
(`adapter/service.py`) puts them together with what they need.
"""

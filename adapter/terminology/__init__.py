"""Vocabulary as data: which codes and words mean what. Pure look-up; the rows live in mappings/."""

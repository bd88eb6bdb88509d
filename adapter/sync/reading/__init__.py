"""What the servers hold: which patients changed, which searches are trusted, what was gathered."""

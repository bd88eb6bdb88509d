"""What a hospital's change board is shown before the adapter writes: weeks of observation, and one pass of today."""

"""How x moves: a diffusers scheduler's run as a table of numbers, and one update for all rows."""

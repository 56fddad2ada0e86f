"""How x moves: a diffusers scheduler's run as a table of coefficients, and one update for all rows."""

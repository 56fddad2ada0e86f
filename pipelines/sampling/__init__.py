"""A diffusers scheduler as a table of coefficients, and one fused update for all rows."""

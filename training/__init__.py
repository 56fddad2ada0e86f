"""How the house model is made: one command a stage; the product imports nothing from here."""

"""`limner demo`: the bot against a simulated Discord in a local web page."""

"""Whether a picture may be shown: checkers behind one protocol, each a file of its own."""

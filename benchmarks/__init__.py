"""What the README's figures come from; `limner bench` runs it."""

"""One file a family of commands: what a user types, judged and answered."""

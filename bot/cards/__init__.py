"""Message layouts (components v2) and the buttons that survive a restart."""

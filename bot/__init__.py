"""Discord: what a user types and sees. The only room that imports discord."""

"""One module against the real program it works with."""

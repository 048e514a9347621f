"""From what is desired and what was observed to what is to be done. Pure."""

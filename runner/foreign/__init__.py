"""Content that others wrote, read within bounds and shown as one harmless line: whoever reads any begins here."""

"""Decisions, names and parsers; nothing outside the process."""

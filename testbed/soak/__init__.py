"""Whole runs under faults: what is done to them, and what must hold whenever and however they end."""

"""Whole runs, as Prow starts them."""

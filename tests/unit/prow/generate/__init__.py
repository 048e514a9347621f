"""Tests of ``runner.prow.generate``."""

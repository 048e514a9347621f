"""Tests of ``runner.run``."""

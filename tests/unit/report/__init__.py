"""Tests of ``runner.report``."""

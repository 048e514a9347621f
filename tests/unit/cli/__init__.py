"""Tests of ``runner.cli``."""

"""Tests of ``runner.published``."""

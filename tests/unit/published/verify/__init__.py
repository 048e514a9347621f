"""Tests of ``runner.published.verify``."""

"""Tests of ``runner.config``."""

"""Tests of ``runner.published.audit``."""

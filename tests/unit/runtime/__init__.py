"""Tests of ``runner.runtime``."""

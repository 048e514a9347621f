"""Tests of ``runner.aws``."""

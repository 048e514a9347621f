"""Tests of ``runner.terminal``."""

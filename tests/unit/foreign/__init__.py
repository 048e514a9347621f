"""Tests of ``runner.foreign``."""

"""Tests of ``runner.source``."""

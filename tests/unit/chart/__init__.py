"""Tests of ``runner.chart``."""

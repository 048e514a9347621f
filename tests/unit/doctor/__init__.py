"""Tests of ``runner.doctor``."""

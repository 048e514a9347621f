"""Tests of ``runner.builders``."""

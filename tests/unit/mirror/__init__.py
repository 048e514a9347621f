"""Tests of ``runner.mirror``."""

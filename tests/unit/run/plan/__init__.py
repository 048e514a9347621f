"""Tests of ``runner.run.plan``."""

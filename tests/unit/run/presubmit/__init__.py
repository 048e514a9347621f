"""Tests of ``runner.run.presubmit``."""

"""Tests of ``runner.run.publish``."""

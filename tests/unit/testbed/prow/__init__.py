"""Tests of ``testbed.prow``."""

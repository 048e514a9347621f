"""Tests of ``testbed.soak``."""

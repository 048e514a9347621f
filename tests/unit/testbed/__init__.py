"""Tests of ``testbed``."""

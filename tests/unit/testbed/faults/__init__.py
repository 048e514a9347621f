"""Tests of ``testbed.faults``."""

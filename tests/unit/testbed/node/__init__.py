"""Tests of ``testbed.node``."""

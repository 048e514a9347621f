"""Tests of ``runner.author``."""

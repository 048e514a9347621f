"""Tests of ``hack``."""

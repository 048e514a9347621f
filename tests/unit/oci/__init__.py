"""Tests of ``runner.oci``."""

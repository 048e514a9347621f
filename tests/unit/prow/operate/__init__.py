"""Tests of ``runner.prow.operate``."""

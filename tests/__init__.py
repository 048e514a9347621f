"""Tests at three levels: unit, integration, e2e."""

"""Tests of ``runner.author`` with real git repositories."""

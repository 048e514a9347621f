"""Fakes in memory of what a stage works with, so that it can be tested without network, engine and subprocess.

``tests/integration/test_memory_fakes.py`` holds each of them to the real one.
"""

"""``runner.runtime`` with the real programs that it works with."""

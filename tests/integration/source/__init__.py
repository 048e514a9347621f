"""``runner.source`` with the real programs that it works with."""

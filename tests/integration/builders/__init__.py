"""``runner.builders`` with the real programs that it works with."""

"""``runner.chart`` with the real programs that it works with."""

"""``testbed`` with the real programs that it runs."""

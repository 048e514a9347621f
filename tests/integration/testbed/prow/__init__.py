"""``testbed.prow`` with the real programs that it runs."""

"""Many disturbed runs, for longer than every test run may take: ``make soak``."""

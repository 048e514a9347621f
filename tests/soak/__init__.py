"""Many disturbed runs, and runs of many services: longer than every test run may take (``make soak``)."""

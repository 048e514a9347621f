"""What tests, the demo, benchmarks and pictures run on: repositories, registries, faults, engines, a whole Prow.

Nothing here skips or fails a test; what is missing on this machine is an error that says how to install it.
"""

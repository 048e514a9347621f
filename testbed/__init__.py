"""What tests, the demo, benchmarks and pictures run on: repositories, registries, faults, engines, a whole Prow."""

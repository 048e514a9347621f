"""The registry client against real registries, and a proxy that makes faults."""

"""Faults between a client and a real server: rules, and the proxy that meets requests as they say."""

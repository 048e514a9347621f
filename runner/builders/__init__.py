"""Builders: each turns an exported source tree into the same kind of artifact."""

"""Prow's job configuration, Deck's lenses and operators' roles, generated from ``jobs.yaml``."""

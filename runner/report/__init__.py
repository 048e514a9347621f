"""Reports: each is rendered from the record alone."""

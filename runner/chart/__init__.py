"""Charts: what they say, what helm makes of them, and the archive and manifest that are published."""

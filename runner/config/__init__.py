"""``jobs.yaml`` as frozen values, names, and which setting won."""

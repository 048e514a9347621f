"""What is generated for Prow from jobs.yaml: jobs, Deck's lenses, permissions. No release needs any of it."""

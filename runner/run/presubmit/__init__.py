"""What merging a change would release: each service by the version in its own chart."""

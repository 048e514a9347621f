"""What operators do with release jobs: list, explain, follow, rerun and abort them, through the Kubernetes API."""

"""ECR Public on this machine, request by request: what it does as the real one does."""

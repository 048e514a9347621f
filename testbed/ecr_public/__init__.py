"""Amazon ECR Public on this machine: its manners before a real registry, its API, and the AWS services beside it."""

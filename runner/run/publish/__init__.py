"""Where artifacts go: a registry, or an OCI layout folder."""

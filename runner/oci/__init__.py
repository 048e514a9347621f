"""OCI: media types, layouts, and the registry client."""
